/* SPDX-License-Identifier: MIT */
/* options.c - the command line of pwatch */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "options.h"
#include "text.h"
#include "values.h"

struct row;

/* Applies the value of an option, or NULL if it has none. Returns false if the value is not
 * allowed. */
typedef bool take_function(struct options *options, const struct row *row, const char *value);

static take_function take_set, take_choice, take_events, take_exec, take_fd, take_format,
	take_interval, take_output, take_pids, take_ports, take_settle, take_timeout, take_wait;

/* The values that getopt_long(3) returns for options without a letter. */
enum {
	KEY_LIVE = 0x100,
	KEY_WAIT,
	KEY_PORTS,
	KEY_SETTLE,
	KEY_PROCESSES,
	KEY_FORMAT,
	KEY_COLOR,
	KEY_FD,
	KEY_EXEC,
	KEY_READER,
	KEY_TABLE,
	KEY_NO_NOTIFY,
	KEY_CHECK,
	KEY_STATS,
};

/* In the order of the bits of enum portwatch_event_kind. */
#define EVENTS "open|close|end|owner"

struct row {
	int key; /* the letter */
	const char *name;
	const char *argument; /* as the help shows it; for take_choice() also the choices */
	const char *allowed;  /* printed after a wrong value */
	const char *help;
	take_function *take;
	size_t member; /* the int of struct options that take_set() and take_choice() set */
	int set;       /* the value that take_set() stores */
	bool optional; /* the value may be omitted */
};

#define MEMBER(name) offsetof(struct options, name)

/* The only list of options: getopt, help and messages use it. Choices are in the order of the
 * enumerations in portwatch.h. */
static const struct row rows[] = {
	{'p', "pid", "PID", "process IDs, separated by commas",
         "watch this process; may be repeated", take_pids, 0, 0, false},
	{'1', "once", NULL, NULL, "list open ports, and exit; status 1 if none is open", take_set,
         MEMBER(once), true, false},
	{KEY_LIVE, "live", NULL, NULL, "show a table of open ports and update it", take_set,
         MEMBER(live), true, false},
	{KEY_WAIT, "wait", "PORT", "a port from 1 to 65535",
         "print nothing and exit when PORT, or any port, is open; COMMAND continues", take_wait, 0,
         0, true},
	{'t', "timeout", "SECONDS", "0.001 to 86400 seconds",
         "exit after SECONDS with status 124, and end COMMAND", take_timeout, 0, 0, false},
	{'e', "events", "LIST", "a list of open, close, end and owner, such as open,close",
         "events to print: open,close,owner,end; default open,close", take_events, 0, 0, false},
	{KEY_PORTS, "ports", "LIST", "ports and ranges of ports, such as 80,3000-3999",
         "only these ports, such as 80,3000-3999", take_ports, 0, 0, false},
	{KEY_SETTLE, "settle", "SECONDS", "0.001 to 86400 seconds",
         "print a port only after it has been open for SECONDS", take_settle, 0, 0, false},
	{'A', "addresses", "default|loopback|all", "default, loopback and all",
         "0.0.0.0, 127.0.0.1, ::, ::1 (default); also 127.0.0.0/8; all", take_choice,
         MEMBER(addresses), 0, false},
	{'s', "scope", "tree|netns", "tree and netns",
         "ports that the tree holds (default), or all of its netns", take_choice, MEMBER(scope), 0,
         false},
	{KEY_PROCESSES, "processes", NULL, NULL, "print command lines instead of process names",
         take_set, MEMBER(processes), true, false},
	{'j', "json", NULL, NULL, "print one JSON object per line", take_set, MEMBER(json), true,
         false},
	{KEY_FORMAT, "format", "TEXT", FORMAT_ALLOWED,
         "print TEXT for each event, such as '{address} {port} {pid}'", take_format, 0, 0, false},
	{KEY_COLOR, "color", "auto|always|never", "auto, always and never",
         "use colours on a terminal (default), always or never", take_choice, MEMBER(colour), 0,
         false},
	{'o', "output", "FILE", "the name of a file, or - for standard output",
         "write events to FILE; - is standard output, also with COMMAND", take_output, 0, 0, false},
	{KEY_FD, "fd", "N", "the number of an open descriptor",
         "write events to descriptor N, which COMMAND does not inherit", take_fd, 0, 0, false},
	{KEY_EXEC, "exec", "COMMAND", "a shell command",
         "run this shell command for each event, with $PWATCH_EVENT, $PWATCH_ADDRESS, "
         "$PWATCH_PORT, $PWATCH_PID, ...",
         take_exec, 0, 0, false},
	{'i', "interval", "SECONDS", "0.001 to 86400 seconds",
         "time between two polls; default: adapted to their cost", take_interval, 0, 0, false},
	{KEY_READER, "reader", "auto|local|setns|nsenter|procfs",
         "auto, local, setns, nsenter and procfs", "force one way of reading", take_choice,
         MEMBER(reader), 0, false},
	{KEY_TABLE, "table", "auto|diag|procfs", "auto, diag and procfs",
         "force one form of the table", take_choice, MEMBER(table), 0, false},
	{KEY_NO_NOTIFY, "no-notify", NULL, NULL, "only poll, without reports of the kernel",
         take_set, MEMBER(notify), false, false},
	{KEY_CHECK, "check", NULL, NULL,
         "print what pwatch can see here, how, and what to grant so that it sees more", take_set,
         MEMBER(action), OPTIONS_CHECK, false},
	{KEY_STATS, "stats", NULL, NULL, "on exit, print what watching cost", take_set,
         MEMBER(stats), true, false},
	{'q', "quiet", NULL, NULL, "print errors only, no warnings", take_set, MEMBER(log_level),
         PORTWATCH_LOG_ERROR, false},
	{'v', "verbose", NULL, NULL, "log what is found and how", take_set, MEMBER(log_level),
         PORTWATCH_LOG_INFO, false},
	{'h', "help", NULL, NULL, "show this help, and exit", take_set, MEMBER(action),
         OPTIONS_HELP, false},
	{'V', "version", NULL, NULL, "show the version, and exit", take_set, MEMBER(action),
         OPTIONS_VERSION, false},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Options that exclude each other or make each other meaningless: the first option, and all options
 * that cannot be combined with it. */
static const char *const contradictions[][14] = {
	{"once", "wait", "timeout", "events", "settle"},
	{"wait", "events", "settle", "exec", "processes", "color"},
	{"json", "format", "processes", "color"},
	{"format", "processes", "color"},
	{"output", "fd"},
	{"live", "once", "wait", "events", "settle", "json", "format", "output", "fd", "exec",
         "check", "verbose"},
	{"quiet", "verbose"},
	{"check", "once", "wait", "timeout", "events", "ports", "settle", "processes", "format",
         "color", "exec", "stats"},
};

/* The state of the parser, besides the options themselves. */
struct parse {
	struct options *options;
	bool given[ROW_COUNT];
	struct text error;
};

static int *find_member(struct options *options, const struct row *row)
{
	return (int *)(void *)((char *)options + row->member);
}

static bool take_set(struct options *options, const struct row *row, const char *value)
{
	(void)value;
	*find_member(options, row) = row->set;
	return true;
}

static bool take_choice(struct options *options, const struct row *row, const char *value)
{
	int choice = values_choice(value, row->argument);

	*find_member(options, row) = choice;
	return choice >= 0;
}

static bool take_events(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	return values_list(value, EVENTS, &options->events);
}

static bool take_interval(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	return values_seconds(value, &options->interval);
}

static bool take_settle(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	return values_seconds(value, &options->settle);
}

static bool take_timeout(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	return values_seconds(value, &options->timeout);
}

static bool take_output(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	options->output = value;
	return *value != '\0';
}

static bool take_exec(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	options->exec = value;
	return *value != '\0';
}

static bool take_fd(struct options *options, const struct row *row, const char *value)
{
	unsigned int number;

	(void)row;
	if (!values_number(value, INT_MAX, &number))
		return false;
	options->fd = (int)number;
	return true;
}

static bool take_format(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	options->format = value;
	return format_is_valid(value);
}

static bool take_ports(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	return values_ports(value, &options->ports);
}

static bool take_wait(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	options->wait = true;
	options->wait_port = 0;
	return !value || (values_number(value, VALUES_PORT_MAX, &options->wait_port) &&
	                  options->wait_port > 0);
}

/* Adds a PID unless it is there already. options_parse() has allocated room for all. */
static void add_pid(struct options *options, pid_t pid)
{
	for (size_t i = 0; i < options->pid_count; i++) {
		if (options->pids[i] == pid)
			return;
	}
	options->pids[options->pid_count++] = pid;
}

static bool take_pids(struct options *options, const struct row *row, const char *value)
{
	char word[16];
	size_t length;
	pid_t pid;

	(void)row;
	for (;; value += length + 1) {
		length = strcspn(value, ",");
		if (length >= sizeof(word))
			return false;
		memcpy(word, value, length);
		word[length] = '\0';
		if (!values_pid(word, &pid))
			return false;
		add_pid(options, pid);
		if (value[length] == '\0')
			return true;
	}
}

static bool has_letter(const struct row *row)
{
	return row->key <= CHAR_MAX;
}

/* The tables of getopt_long(3). */
struct getopt_tables {
	char letters[2 + 3 * ROW_COUNT + 1];
	struct option names[ROW_COUNT + 1];
};

static void make_tables(struct getopt_tables *tables)
{
	struct text letters;

	text_init(&letters, tables->letters, sizeof(tables->letters));
	/* '-': getopt returns other words in their order too; ':': a missing value has its own
	 * result. */
	text_add(&letters, "-:");
	memset(tables->names, 0, sizeof(tables->names));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		tables->names[i].name = rows[i].name;
		tables->names[i].has_arg = !rows[i].argument  ? no_argument
		                           : rows[i].optional ? optional_argument
		                                              : required_argument;
		tables->names[i].val = rows[i].key;
		if (has_letter(&rows[i]))
			text_add(&letters, "%c%s", rows[i].key, rows[i].argument ? ":" : "");
	}
}

static const struct row *find_row(int key)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].key == key)
			return &rows[i];
	}
	return NULL;
}

/* Writes an error about a word of the command line, of which 100 bytes are shown. */
static int complain(struct text *error, const char *before, const char *word, const char *after)
{
	text_add(error, "%s'%.100s'%s", before, word, after);
	return -EINVAL;
}

static int take_value(struct parse *parse, const struct row *row, const char *value)
{
	struct text *error = &parse->error;

	parse->given[row - rows] = true;
	if (row->take(parse->options, row, value))
		return 0;
	text_add(error, "option --%s: ", row->name);
	complain(error, "", value, " is not allowed; allowed: ");
	text_add(error, "%s", row->allowed);
	return -EINVAL;
}

/* Whether a word consists of digits: probably a mistyped process ID, not the name of a command. */
static bool is_numeric(const char *word)
{
	return word[strspn(word, "0123456789+-,. \t\n")] == '\0';
}

/* Handles a word that is not an option. The first such word decides: returns 1 if it begins a
 * command. */
static int take_operand(struct parse *parse, const char *word)
{
	struct options *options = parse->options;
	pid_t pid;

	if (values_pid(word, &pid)) {
		add_pid(options, pid);
		return 0;
	}
	if (is_numeric(word))
		return complain(&parse->error, "", word,
		                " is not a process ID; give a number, or -- before a command");
	if (options->pid_count > 0)
		return complain(&parse->error, "", word,
		                " is not a process ID; give either process IDs or a command");
	return 1;
}

/* Lists the options whose names begin with a word of the command line, such as "--no=x". */
static void list_candidates(const char *word, struct text *candidates)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (length > 2 && strncmp(word + 2, rows[i].name, length - 2) == 0)
			text_add(candidates, "%s--%s", candidates->length > 0 ? ", " : "",
			         rows[i].name);
	}
}

/* Explains an error of getopt_long(3). optopt is 0 for an unknown or ambiguous name, the key of a
 * row whose option takes no value but was given one, or an unknown letter. */
static int refuse(const char *word, struct text *error)
{
	char letter[] = {'-', (char)optopt, '\0'}, buffer[ROW_COUNT * 16];
	struct text candidates;

	text_init(&candidates, buffer, sizeof(buffer));
	if (optopt == 0) {
		list_candidates(word, &candidates);
		if (candidates.length == 0)
			return complain(error, "unknown option ", word,
			                "; pwatch --help lists the options");
		complain(error, "ambiguous option ", word, "; it could be ");
		text_add(error, "%s", buffer);
		return -EINVAL;
	}
	if (find_row(optopt))
		return complain(error, "", word, ": this option takes no value");
	return complain(error, "unknown option ", letter, "; pwatch --help lists the options");
}

/* Returns 0, 1 if the rest is a command, or -EINVAL. */
static int take_word(struct parse *parse, int key, char **argv)
{
	const struct row *row;

	if (key == 1)
		return take_operand(parse, optarg);
	if (key == '?')
		return refuse(argv[optind - 1], &parse->error);
	if (key == ':') {
		row = find_row(optopt);
		text_add(&parse->error, "option --%s needs a value; allowed: %s", row->name,
		         row->allowed);
		return -EINVAL;
	}
	return take_value(parse, find_row(key), optarg);
}

static bool is_given(const struct parse *parse, const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (parse->given[i] && strcmp(rows[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool find_contradiction(struct parse *parse)
{
	for (size_t i = 0; i < sizeof(contradictions) / sizeof(contradictions[0]); i++) {
		const char *const *names = contradictions[i];
		size_t most = sizeof(contradictions[0]) / sizeof(contradictions[0][0]);

		for (size_t j = 1; j < most && names[j]; j++) {
			if (is_given(parse, names[0]) && is_given(parse, names[j])) {
				text_add(&parse->error,
				         "options --%s and --%s contradict each other", names[0],
				         names[j]);
				return true;
			}
		}
	}
	return false;
}

static int check_together(struct parse *parse)
{
	const struct options *options = parse->options;
	bool check = options->action == OPTIONS_CHECK;
	struct text *error = &parse->error;

	if (find_contradiction(parse))
		return -EINVAL;
	if (options->wait_port > 0 && options->ports.count > 0)
		text_add(error, "options --wait=PORT and --ports contradict each other");
	else if (options->command && options->pid_count > 0)
		text_add(error, "give either process IDs or a command, not both");
	else if (options->command && options->once)
		text_add(error, "option --once is for process IDs, not for a command");
	else if (options->command && options->live)
		text_add(error, "option --live is for process IDs, not for a command");
	else if (check && (options->command || options->pid_count > 1))
		text_add(error, "option --check is for one process ID, or none");
	else if (!check && !options->command && options->pid_count == 0)
		text_add(error,
		         "nothing to watch; give a process ID or a command; pwatch --help shows "
		         "more");
	return error->length > 0 ? -EINVAL : 0;
}

/* The most process IDs that the command line can contain: one for each word and one for each
 * comma. */
static size_t count_pids(int argc, char **argv)
{
	size_t count = 1;

	for (int i = 0; i < argc; i++) {
		count++;
		for (const char *comma = strchr(argv[i], ','); comma;
		     comma = strchr(comma + 1, ','))
			count++;
	}
	return count;
}

int options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX])
{
	struct parse parse = {.options = options};
	struct getopt_tables tables;
	int key, result;

	text_init(&parse.error, error, OPTIONS_ERROR_MAX);
	memset(options, 0, sizeof(*options));
	options->events = PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE;
	options->notify = true;
	options->log_level = PORTWATCH_LOG_WARNING;
	options->fd = -1;
	options->pids = calloc(count_pids(argc, argv), sizeof(*options->pids));
	if (!options->pids)
		return -ENOMEM;
	make_tables(&tables);
	opterr = 0;
	optind = 0; /* restarts the parser, also when called again */
	while ((key = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		result = take_word(&parse, key, argv);
		if (result == 1) {
			options->command = argv + optind - 1;
			return check_together(&parse);
		}
		if (result < 0 || options->action > OPTIONS_CHECK)
			return result;
	}
	/* Other words were handled in their order, so the remaining words follow "--". */
	if (optind < argc)
		options->command = argv + optind;
	return check_together(&parse);
}

void options_free(struct options *options)
{
	free(options->pids);
	options->pids = NULL;
}

#define HELP_INDENT 27
#define HELP_WIDTH 79

/* Appends words from the column HELP_INDENT on, wrapped at HELP_WIDTH. */
static void add_wrapped(struct text *help, const char *words)
{
	size_t column = HELP_INDENT, length;

	for (; *words; words += length) {
		words += strspn(words, " ");
		length = strcspn(words, " ");
		if (column > HELP_INDENT && column + 1 + length > HELP_WIDTH) {
			text_add(help, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		}
		text_add(help, "%s%.*s", column > HELP_INDENT ? " " : "", (int)length, words);
		column += length + (column > HELP_INDENT);
	}
	text_add(help, "\n");
}

static void add_row(struct text *help, const struct row *row)
{
	size_t start = help->length;

	if (has_letter(row))
		text_add(help, "  -%c, --%s", row->key, row->name);
	else
		text_add(help, "      --%s", row->name);
	if (row->argument)
		text_add(help, row->optional ? "[=%s]" : "=%s", row->argument);
	if (help->length - start > HELP_INDENT - 2)
		text_add(help, "\n%*s", HELP_INDENT, "");
	else
		text_add(help, "%*s", (int)(HELP_INDENT - (help->length - start)), "");
	add_wrapped(help, row->help);
}

size_t options_help(char buffer[OPTIONS_HELP_MAX])
{
	struct text help;

	text_init(&help, buffer, OPTIONS_HELP_MAX);
	text_add(&help, "Usage: pwatch [OPTION]... PID...\n"
	                "  or:  pwatch [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	                "  or:  pwatch [OPTION]... --check [PID]\n"
	                "Watch running processes, or run COMMAND, and print each TCP port on which "
	                "one of\nthem, or a process that it has started, starts or stops "
	                "listening.\n\n");
	for (size_t i = 0; i < ROW_COUNT; i++)
		add_row(&help, &rows[i]);
	text_add(
		&help,
		"\nExit status: 0 done, 1 failed, 2 wrong usage, 124 timed out. With COMMAND: its\n"
		"status (128+N for signal N), 125 pwatch failed, 126 COMMAND can't be executed,\n"
		"127 COMMAND not found. With --wait: 0 the port is open, 1 everything has "
		"ended.\n");
	text_add(&help, "\nExamples:\n"
	                "  pwatch npm run dev                      print the ports that it opens\n"
	                "  pwatch --wait=5432 -t 30 $!             wait until a server is up\n"
	                "  pwatch -j --fd=3 npm run dev 3>&1 >&2 | jq .port\n");
	return help.length;
}
