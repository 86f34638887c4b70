/* SPDX-License-Identifier: MIT */
/* fuzz_command_line.c - any words as the arguments of pwatch; a NUL ends each word of the input */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../cmd/format.h"
#include "../cmd/message.h"
#include "../cmd/options.h"
#include "../cmd/values.h"
#include "fuzz.h"

#define WORDS_MAX 128

struct words {
	char *list[WORDS_MAX + 1];
	int count;
};

static void add_word(struct words *words, char *word)
{
	REQUIRE(words->count < WORDS_MAX);
	words->list[words->count++] = word;
	words->list[words->count] = NULL;
}

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
	va_list arguments;
	char *word;

	va_start(arguments, format);
	REQUIRE(vasprintf(&word, format, arguments) >= 0);
	va_end(arguments);
	add_word(words, word);
}

static void free_words(struct words *words)
{
	while (words->count > 0)
		free(words->list[--words->count]);
}

static void split(struct words *words, const uint8_t *bytes, size_t size)
{
	size_t length;

	words->count = 0;
	add(words, "pwatch");
	for (; size > 0 && words->count < WORDS_MAX / 4; bytes += length, size -= length) {
		length = strnlen((const char *)bytes, size);
		add_word(words, (char *)fuzz_string(bytes, length));
		length += length < size;
	}
}

/* A message of pwatch is one line of printable ASCII. */
static void check_message(const char *error)
{
	static int file = -1, standard_error;
	char line[4096];
	ssize_t length;

	if (file < 0) {
		file = memfd_create("messages", MFD_CLOEXEC);
		standard_error = dup(STDERR_FILENO);
		REQUIRE(file >= 0 && standard_error >= 0);
	}
	REQUIRE(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
	REQUIRE(dup2(file, STDERR_FILENO) >= 0);
	message_error("%s", error);
	REQUIRE(dup2(standard_error, STDERR_FILENO) >= 0);
	length = pread(file, line, sizeof(line), 0);
	REQUIRE(length > 9 && length < 2048 && memcmp(line, "pwatch: ", 8) == 0);
	REQUIRE(line[length - 1] == '\n');
	for (ssize_t i = 0; i < length - 1; i++)
		REQUIRE(line[i] >= ' ' && line[i] <= '~');
}

static void check_pids(const struct options *options, int words)
{
	/* One --pid can have several PIDs. */
	REQUIRE(options->pid_count == 0 || words > 1);
	for (size_t i = 0; i < options->pid_count; i++) {
		REQUIRE(options->pids[i] > 0);
		for (size_t j = 0; j < i; j++)
			REQUIRE(options->pids[i] != options->pids[j]);
	}
}

static void check_values(const struct options *options)
{
	REQUIRE(options->events > 0 && options->events < 16);
	REQUIRE(options->interval <= 86400000);
	REQUIRE(options->addresses >= PORTWATCH_ADDRESSES_DEFAULT &&
	        options->addresses <= PORTWATCH_ADDRESSES_ALL);
	REQUIRE(options->scope == PORTWATCH_SCOPE_TREE || options->scope == PORTWATCH_SCOPE_NETNS);
	REQUIRE(portwatch_reader_name((enum portwatch_reader)options->reader));
	REQUIRE(portwatch_table_name((enum portwatch_table)options->table));
	REQUIRE(!options->output || options->output[0] != '\0');
	REQUIRE(options->fd >= -1 && (options->fd < 0 || !options->output));
	REQUIRE(options->timeout <= 86400000 && options->wait_port <= VALUES_PORT_MAX);
	REQUIRE(options->wait || options->wait_port == 0);
	REQUIRE(!options->format || format_is_valid(options->format));
	REQUIRE(options->colour >= OPTIONS_COLOUR_AUTO && options->colour <= OPTIONS_COLOUR_NEVER);
	REQUIRE(options->ports.count <= VALUES_PORTS_MAX);
	REQUIRE(!options->command || options->command[0]);
	/* There is exactly one task. */
	REQUIRE(!options->command || options->pid_count == 0);
	REQUIRE(options->command || options->pid_count > 0 || options->action == OPTIONS_CHECK);
}

static void write_switches(struct words *words, const struct options *options)
{
	if (options->action == OPTIONS_CHECK)
		add(words, "--check");
	if (options->json)
		add(words, "--json");
	if (options->once)
		add(words, "--once");
	if (!options->notify)
		add(words, "--no-notify");
	if (options->wait && options->wait_port > 0)
		add(words, "--wait=%u", options->wait_port);
	else if (options->wait)
		add(words, "--wait");
	if (options->colour != OPTIONS_COLOUR_AUTO)
		add(words, "--color=%s",
		    options->colour == OPTIONS_COLOUR_ALWAYS ? "always" : "never");
	if (options->stats)
		add(words, "--stats");
	if (options->log_level != PORTWATCH_LOG_WARNING)
		add(words, options->log_level == PORTWATCH_LOG_ERROR ? "--quiet" : "--verbose");
}

static void write_ports(struct words *words, const struct values_ports *ports)
{
	char list[VALUES_PORTS_MAX * 12 + 1] = "";

	for (size_t i = 0; i < ports->count; i++)
		sprintf(list + strlen(list), "%s%u-%u", i > 0 ? "," : "", ports->ranges[i].first,
		        ports->ranges[i].last);
	if (ports->count > 0)
		add(words, "--ports=%s", list);
}

/* Writes a command line that means the same, with all options in full. */
static void write_words(struct words *words, const struct options *options)
{
	static const char *const events[] = {
		"open",           "close",           "open,close",          "end",
		"open,end",       "close,end",       "open,close,end",      "owner",
		"open,owner",     "close,owner",     "open,close,owner",    "end,owner",
		"open,end,owner", "close,end,owner", "open,close,end,owner"};
	static const char *const addresses[] = {"default", "loopback", "all"};

	words->count = 0;
	add(words, "pwatch");
	write_switches(words, options);
	if (!options->wait && options->action != OPTIONS_CHECK)
		add(words, "--events=%s", events[options->events - 1]);
	write_ports(words, &options->ports);
	if (options->format)
		add(words, "--format=%s", options->format);
	if (options->settle > 0)
		add(words, "--settle=%u.%03u", options->settle / 1000, options->settle % 1000);
	if (options->exec)
		add(words, "--exec=%s", options->exec);
	if (options->fd >= 0)
		add(words, "--fd=%d", options->fd);
	if (options->timeout > 0)
		add(words, "--timeout=%u.%03u", options->timeout / 1000, options->timeout % 1000);
	if (options->interval > 0)
		add(words, "--interval=%u.%03u", options->interval / 1000,
		    options->interval % 1000);
	add(words, "--addresses=%s", addresses[options->addresses]);
	add(words, "--scope=%s", options->scope == PORTWATCH_SCOPE_TREE ? "tree" : "netns");
	add(words, "--reader=%s", portwatch_reader_name((enum portwatch_reader)options->reader));
	add(words, "--table=%s", portwatch_table_name((enum portwatch_table)options->table));
	if (options->output)
		add(words, "--output=%s", options->output);
	for (size_t i = 0; i < options->pid_count; i++)
		add(words, "%d", (int)options->pids[i]);
	if (options->command)
		add(words, "--");
	for (char **word = options->command; word && *word; word++)
		add(words, "%s", *word);
}

static void check_same(const struct options *a, const struct options *b)
{
	REQUIRE(a->action == b->action && a->json == b->json && a->once == b->once);
	REQUIRE(a->events == b->events && a->interval == b->interval);
	REQUIRE(a->addresses == b->addresses && a->scope == b->scope);
	REQUIRE(a->reader == b->reader && a->table == b->table);
	REQUIRE(a->notify == b->notify && a->stats == b->stats);
	REQUIRE(a->log_level == b->log_level && !a->output == !b->output);
	REQUIRE(!a->output || strcmp(a->output, b->output) == 0);
	REQUIRE(a->wait == b->wait && a->wait_port == b->wait_port && a->timeout == b->timeout);
	REQUIRE(a->colour == b->colour && a->fd == b->fd);
	REQUIRE(a->settle == b->settle && !a->exec == !b->exec &&
	        (!a->exec || strcmp(a->exec, b->exec) == 0));
	REQUIRE(!a->format == !b->format && (!a->format || strcmp(a->format, b->format) == 0));
	REQUIRE(memcmp(&a->ports, &b->ports, sizeof(a->ports)) == 0);
	REQUIRE(a->pid_count == b->pid_count);
	REQUIRE(a->pid_count == 0 ||
	        memcmp(a->pids, b->pids, a->pid_count * sizeof(*a->pids)) == 0);
	REQUIRE(!a->command == !b->command);
	for (size_t i = 0; a->command && (a->command[i] || b->command[i]); i++)
		REQUIRE(strcmp(a->command[i], b->command[i]) == 0);
}

static void check_accepted(const struct options *options, int words)
{
	char error[OPTIONS_ERROR_MAX];
	struct options again;
	struct words canonical;

	if (options->action > OPTIONS_CHECK)
		return; /* the parser has not examined the rest */
	check_pids(options, words);
	check_values(options);
	if (options->pid_count > WORDS_MAX / 2)
		return; /* too many PIDs for the list of words */
	write_words(&canonical, options);
	REQUIRE(options_parse(&again, canonical.count, canonical.list, error) == 0);
	check_same(options, &again);
	options_free(&again);
	free_words(&canonical);
}

/* Compares the number of seconds with strtold(3). */
static void check_seconds(const char *word)
{
	unsigned int milliseconds;
	long double expected;
	char *end;

	if (!values_seconds(word, &milliseconds))
		return;
	expected = ceill(strtold(word, &end) * 1000);
	REQUIRE(*end == '\0' && milliseconds > 0);
	REQUIRE(fabsl(expected - milliseconds) <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char error[OPTIONS_ERROR_MAX];
	struct options options;
	struct words words;
	int result;

	split(&words, bytes, size);
	result = options_parse(&options, words.count, words.list, error);
	REQUIRE(result == 0 || result == -EINVAL);
	REQUIRE((result == 0) == (error[0] == '\0'));
	if (result < 0)
		check_message(error);
	else
		check_accepted(&options, words.count);
	options_free(&options);
	for (int i = 1; i < words.count; i++)
		check_seconds(words.list[i]);
	free_words(&words);
	return 0;
}
