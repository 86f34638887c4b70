/* SPDX-License-Identifier: MIT */
/* options.c - the command line of pwatch */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "text.h"
#include "values.h"

struct row;

/* Takes the value of an option (NULL where it has none); false where it isn't allowed. */
typedef bool take_function(struct options *options, const struct row *row, const char *value);

static take_function take_set, take_choice, take_events, take_interval, take_output;

/* What getopt_long(3) returns for options without a letter. */
enum {
	KEY_READER = 0x100,
	KEY_TABLE,
	KEY_NO_NOTIFY,
	KEY_CHECK,
	KEY_STATS,
};

/* In the order of the bits of enum portwatch_event_kind. */
#define EVENTS "open|close|end"

struct row {
	int key; /* the letter */
	const char *name;
	const char *argument; /* as the help shows it; for take_choice() what is allowed */
	const char *allowed;  /* said when the value isn't */
	const char *help;
	take_function *take;
	size_t member; /* which int of struct options take_set() and take_choice() set */
	int set;       /* what take_set() sets it to */
};

#define MEMBER(name) offsetof(struct options, name)

/* The only list of the options: getopt, help and messages are made from it. The choices stand in
 * the order of the enumerations in portwatch.h. */
static const struct row rows[] = {
	{'j', "json", NULL, NULL, "print one JSON object a line", take_set, MEMBER(json), true},
	{'e', "events", "LIST", "a list of open, close and end, such as open,close",
         "which of open,close,end; default open,close", take_events, 0, 0},
	{'1', "once", NULL, NULL, "print what is open now, and exit", take_set, MEMBER(once), true},
	{'i', "interval", "SECONDS", "0.001 to 86400 seconds",
         "the longest time between two looks; default: as cheap", take_interval, 0, 0},
	{'A', "addresses", "default|loopback|all", "default, loopback and all",
         "0.0.0.0, 127.0.0.1, ::, ::1 (default); 127.0.0.0/8 too; all", take_choice,
         MEMBER(addresses), 0},
	{'s', "scope", "tree|netns", "tree and netns",
         "ports held by the tree (default), or all in its netns", take_choice, MEMBER(scope), 0},
	{'o', "output", "FILE", "the name of a file", "write events to FILE", take_output, 0, 0},
	{KEY_READER, "reader", "auto|local|setns|nsenter|procfs",
         "auto, local, setns, nsenter and procfs", "force the way of reading", take_choice,
         MEMBER(reader), 0},
	{KEY_TABLE, "table", "auto|diag|procfs", "auto, diag and procfs",
         "force the form of the table that is read", take_choice, MEMBER(table), 0},
	{KEY_NO_NOTIFY, "no-notify", NULL, NULL, "only look from time to time", take_set,
         MEMBER(notify), false},
	{KEY_CHECK, "check", NULL, NULL,
         "print what can be seen here, how, and what it takes to see more", take_set,
         MEMBER(action), OPTIONS_CHECK},
	{KEY_STATS, "stats", NULL, NULL, "on exit, print what watching cost", take_set,
         MEMBER(stats), true},
	{'q', "quiet", NULL, NULL, "no warnings, only errors", take_set, MEMBER(log_level),
         PORTWATCH_LOG_ERROR},
	{'v', "verbose", NULL, NULL, "tell what is found and how", take_set, MEMBER(log_level),
         PORTWATCH_LOG_INFO},
	{'h', "help", NULL, NULL, "show this help, and exit", take_set, MEMBER(action),
         OPTIONS_HELP},
	{'V', "version", NULL, NULL, "show the version, and exit", take_set, MEMBER(action),
         OPTIONS_VERSION},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

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

static bool take_output(struct options *options, const struct row *row, const char *value)
{
	(void)row;
	options->output = value;
	return *value != '\0';
}

/* The tables of getopt_long(3). */
struct getopt_tables {
	char letters[2 + 2 * ROW_COUNT + 1];
	struct option names[ROW_COUNT + 1];
};

static void make_tables(struct getopt_tables *tables)
{
	struct text letters;

	text_init(&letters, tables->letters, sizeof(tables->letters));
	/* '-': other words come in their order too; ':': a missing value is told apart. */
	text_add(&letters, "-:");
	memset(tables->names, 0, sizeof(tables->names));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		tables->names[i].name = rows[i].name;
		tables->names[i].has_arg = rows[i].argument ? required_argument : no_argument;
		tables->names[i].val = rows[i].key;
		if (rows[i].key < KEY_READER)
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

/* Says what is wrong with a word of the command line, of which 100 bytes are shown. */
static int complain(struct text *error, const char *before, const char *word, const char *after)
{
	text_add(error, "%s'%.100s'%s", before, word, after);
	return -EINVAL;
}

static int take_value(struct options *options, const struct row *row, const char *value,
                      struct text *error)
{
	if (row->take(options, row, value))
		return 0;
	text_add(error, "option --%s: ", row->name);
	complain(error, "", value, " is not allowed; allowed: ");
	text_add(error, "%s", row->allowed);
	return -EINVAL;
}

static int take_pid(struct options *options, const char *word, struct text *error)
{
	pid_t pid;

	if (!values_pid(word, &pid))
		return complain(error, "", word,
		                " is not a process ID; give a number, or -- before a command");
	for (size_t i = 0; i < options->pid_count; i++) {
		if (options->pids[i] == pid)
			return 0;
	}
	options->pids[options->pid_count++] = pid;
	return 0;
}

/* What getopt_long(3) refused: optopt is 0 for a name that it doesn't know, the key of a row whose
 * option takes no value but got one, else an unknown letter. */
static int refuse(const char *word, struct text *error)
{
	char letter[] = {'-', (char)optopt, '\0'};

	if (optopt == 0)
		return complain(error, "unknown or ambiguous option ", word,
		                "; pwatch --help lists the options");
	if (find_row(optopt))
		return complain(error, "", word, ": this option takes no value");
	return complain(error, "unknown option ", letter, "; pwatch --help lists the options");
}

static int take_word(struct options *options, int key, char **argv, struct text *error)
{
	const struct row *row;

	if (key == 1)
		return take_pid(options, optarg, error);
	if (key == '?')
		return refuse(argv[optind - 1], error);
	if (key == ':') {
		row = find_row(optopt);
		text_add(error, "option --%s needs a value; allowed: %s", row->name, row->allowed);
		return -EINVAL;
	}
	return take_value(options, find_row(key), optarg, error);
}

static int check_together(const struct options *options, struct text *error)
{
	bool check = options->action == OPTIONS_CHECK;

	if (options->command && options->pid_count > 0)
		text_add(error, "give either process IDs or a command after --, not both");
	else if (options->command && options->once)
		text_add(error, "option --once is for process IDs, not for a command");
	else if (check && (options->command || options->pid_count > 1))
		text_add(error, "option --check is for one process ID, or none");
	else if (!check && !options->command && options->pid_count == 0)
		text_add(error, "nothing to watch; give a process ID, or -- and a command; "
		                "pwatch --help says more");
	return error->length > 0 ? -EINVAL : 0;
}

int options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX])
{
	struct getopt_tables tables;
	struct text message;
	int key, result;

	text_init(&message, error, OPTIONS_ERROR_MAX);
	memset(options, 0, sizeof(*options));
	options->events = PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE;
	options->notify = true;
	options->log_level = PORTWATCH_LOG_WARNING;
	options->pids = calloc((size_t)argc + 1, sizeof(*options->pids));
	if (!options->pids)
		return -ENOMEM;
	make_tables(&tables);
	opterr = 0;
	optind = 0; /* from the start, also when called again */
	while ((key = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
		result = take_word(options, key, argv, &message);
		if (result < 0 || options->action > OPTIONS_CHECK)
			return result;
	}
	/* Other words were taken in their order: what is left stands after "--". */
	if (optind < argc)
		options->command = argv + optind;
	return check_together(options, &message);
}

void options_free(struct options *options)
{
	free(options->pids);
	options->pids = NULL;
}

size_t options_help(char buffer[OPTIONS_HELP_MAX])
{
	struct text help;
	size_t start;

	text_init(&help, buffer, OPTIONS_HELP_MAX);
	text_add(&help, "Usage: pwatch [OPTION]... PID...\n"
	                "  or:  pwatch [OPTION]... -- COMMAND [ARGUMENT]...\n"
	                "  or:  pwatch [OPTION]... --check [PID]\n"
	                "Print each TCP port on which a process, or anything that it starts, "
	                "starts or stops\nlistening: of running processes, or of COMMAND.\n\n");
	for (size_t i = 0; i < ROW_COUNT; i++) {
		start = help.length;
		if (rows[i].key < KEY_READER)
			text_add(&help, "  -%c, --%s", rows[i].key, rows[i].name);
		else
			text_add(&help, "      --%s", rows[i].name);
		if (rows[i].argument)
			text_add(&help, "=%s", rows[i].argument);
		if (help.length - start > 25)
			text_add(&help, "\n%27s%s\n", "", rows[i].help);
		else
			text_add(&help, "%*s%s\n", (int)(27 - (help.length - start)), "",
			         rows[i].help);
	}
	text_add(&help, "\nExit status: 0 done, 1 failed, 2 wrong usage; with COMMAND its own "
	                "(128+N for signal N),\n125 pwatch failed, 126 COMMAND can't be executed, "
	                "127 COMMAND not found.\n");
	return help.length;
}
