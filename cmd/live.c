/* SPDX-License-Identifier: MIT */
/* live.c - the table of --live, updated on a terminal
 *
 * All programs on a terminal share its settings, so pwatch restores them on each way out: in
 * live_close(), while it is stopped (SIGTSTP), and in the handler of signals that kill pwatch. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "message.h"
#include "moment.h"
#include "ncurses.h"

#if HAVE_NCURSES

#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "text.h"

/* The shortest time between two redraws in milliseconds: the eye sees no faster changes. */
#define DRAW_INTERVAL 100

/* The title and the header. */
#define TITLE_ROWS 2

static const struct ncurses *ncurses;

struct live {
	SCREEN *screen;
	WINDOW *window; /* the whole screen */
	struct format_style style;
	bool bold;
	const char *way;
	size_t top;   /* the first row that is shown */
	size_t count; /* number of rows */
	bool changed;
	int64_t drawn_ms;
};

const char *live_obstacle(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "standard input and output must be a terminal";
	ncurses = ncurses_load();
	if (!ncurses)
		return "cannot load " NCURSES_NAME "; install ncurses";
	return NULL;
}

/* --- a sudden end ------------------------------------------------------------------------------
 */

/* The signals whose default action kills the process, without those that pwatch blocks and
 * reads. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,  SIGILL,  SIGSYS,   SIGTRAP,
                                    SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGPROF, SIGVTALRM};
#define FATAL_SIGNALS (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

/* The data of the handler, which may not call ncurses. */
static struct {
	pid_t pid;
	struct termios before;
	char sequence[256]; /* leaves the alternate screen, and shows the cursor */
	size_t length;
	struct sigaction actions[FATAL_SIGNALS];
} rescue;

/* Runs in the thread that has failed, or in a forked process, so it makes only system calls. */
static void rescue_terminal(int signal_number)
{
	struct sigaction action;

	if (getpid() == rescue.pid) {
		if (write(STDOUT_FILENO, rescue.sequence, rescue.length) < 0)
			rescue.length = 0;
		tcsetattr(STDOUT_FILENO, TCSANOW, &rescue.before);
	}
	/* The signal is blocked here, and is delivered again when the handler returns. */
	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(signal_number, &action, NULL);
	raise(signal_number);
}

static void add_sequence(struct text *sequence, const char *capability)
{
	/* tigetstr(3) returns NULL or -1 if the terminal lacks the capability. */
	const char *value = ncurses->tigetstr(capability);

	if (value && value != (const char *)-1 && strchr(value, '$') == NULL)
		text_add(sequence, "%s", value);
}

static void prepare_rescue(void)
{
	struct sigaction action;
	struct text sequence;

	text_init(&sequence, rescue.sequence, sizeof(rescue.sequence));
	add_sequence(&sequence, "sgr0");
	add_sequence(&sequence, "rmkx");
	add_sequence(&sequence, "cnorm");
	add_sequence(&sequence, "rmcup");
	rescue.length = sequence.length;
	rescue.pid = getpid();
	memset(&action, 0, sizeof(action));
	action.sa_handler = rescue_terminal;
	for (size_t i = 0; i < FATAL_SIGNALS; i++) {
		sigaction(fatal_signals[i], NULL, &rescue.actions[i]);
		if (rescue.actions[i].sa_handler == SIG_DFL)
			sigaction(fatal_signals[i], &action, NULL);
	}
}

static void end_rescue(void)
{
	for (size_t i = 0; i < FATAL_SIGNALS; i++)
		sigaction(fatal_signals[i], &rescue.actions[i], NULL);
}

/* --- begin and end -----------------------------------------------------------------------------
 */

/* Removes the variables with which a less privileged caller could choose the description of the
 * terminal: ncurses reads the description with the privileges of pwatch. The size is that of the
 * terminal: LINES and COLUMNS could ask for a screen of gigabytes. */
static void distrust_environment(void)
{
	static const char *const names[] = {"TERMINFO", "TERMINFO_DIRS", "TERMCAP", "TERMPATH",
	                                    "HOME",     "NCURSES_TRACE", "LINES",   "COLUMNS"};

	if (getauxval(AT_SECURE) == 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

/* Like newterm(3), without the signal handlers of ncurses: pwatch reads these signals from a
 * descriptor, and the helpers of the library would inherit the handlers. */
static SCREEN *open_screen(const char *terminal)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
	struct sigaction actions[sizeof(numbers) / sizeof(numbers[0])];
	SCREEN *screen;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], NULL, &actions[i]);
	screen = ncurses->newterm(terminal, stdout, stdin);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &actions[i], NULL);
	return screen;
}

static void close_screen(struct live *live)
{
	ncurses->endwin();
	if (live->window)
		ncurses->delwin(live->window);
	ncurses->delscreen(live->screen);
}

struct live *live_open(const struct format_style *style, const char *way)
{
	const char *terminal = getenv("TERM");
	struct live *live = calloc(1, sizeof(*live));

	if (!live) {
		message_error("cannot show a table: %s", strerror(ENOMEM));
		return NULL;
	}
	live->style = *style;
	/* ncurses must write all attributes itself. */
	live->style.colour = false;
	live->bold = style->colour;
	live->way = way;
	/* The first drawing includes the ports that were open at the start. */
	live->changed = true;
	live->drawn_ms = now_ms();
	distrust_environment();
	if (tcgetattr(STDOUT_FILENO, &rescue.before) == 0)
		live->screen = open_screen(terminal && *terminal != '\0' ? terminal : "dumb");
	if (live->screen)
		live->window = ncurses->newwin(0, 0, 0, 0);
	if (!live->window) {
		if (live->screen)
			close_screen(live);
		message_error("cannot show a table on a terminal of the type '" MESSAGE_NAME
		              "' (TERM)",
		              terminal ? terminal : "");
		free(live);
		return NULL;
	}
	prepare_rescue();
	/* Unlike raw(), cbreak() lets Ctrl-C and Ctrl-Z send signals. */
	ncurses->cbreak();
	ncurses->noecho();
	ncurses->nonl();
	ncurses->intrflush(live->window, FALSE);
	ncurses->keypad(live->window, TRUE);
	ncurses->nodelay(live->window, TRUE);
	ncurses->set_escdelay(25);
	ncurses->curs_set(0);
	return live;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	close_screen(live);
	/* ncurses may leave wrong settings on a terminal whose type is wrong. */
	tcsetattr(STDOUT_FILENO, TCSADRAIN, &rescue.before);
	end_rescue();
	free(live);
}

/* --- drawing -------------------------------------------------------------------------------
 */

void live_change(struct live *live)
{
	live->changed = true;
}

int64_t live_next(const struct live *live)
{
	return live->changed ? live->drawn_ms + DRAW_INTERVAL : 0;
}

static size_t visible_rows(const struct live *live)
{
	int rows = ncurses->getmaxy(live->window);

	return rows > TITLE_ROWS ? (size_t)(rows - TITLE_ROWS) : 0;
}

static size_t width(const struct live *live)
{
	int columns = ncurses->getmaxx(live->window);

	return columns > 0 ? (size_t)columns : 0;
}

static void limit_top(struct live *live)
{
	size_t visible = visible_rows(live);
	size_t last = live->count > visible ? live->count - visible : 0;

	if (live->top > last)
		live->top = last;
}

static void put_line(const struct live *live, int row, const char *line)
{
	if (row < ncurses->getmaxy(live->window))
		ncurses->mvwaddstr(live->window, row, 0, line);
}

static void draw_title(const struct live *live, const struct explain *explain)
{
	size_t first = live->top + 1, last = live->top + visible_rows(live);
	char buffer[256];
	struct text title;

	text_init(&title, buffer, sizeof(buffer));
	text_add(&title, live->count == 1 ? "%zu port is open" : "%zu ports are open", live->count);
	if (last > live->count)
		last = live->count;
	if (last - live->top < live->count && last >= first)
		text_add(&title, ", %zu to %zu are shown", first, last);
	explain_hidden(explain, &title);
	text_add(&title, "; q quits, j and k scroll; %s", live->way);
	text_cut(&title, width(live));
	put_line(live, 0, buffer);
}

static void draw_table(const struct live *live, const struct format_fields *const *rows)
{
	size_t visible = visible_rows(live), columns_shown = width(live);
	struct listing_columns columns;
	char line[FORMAT_LINE_MAX];
	struct text text = {.data = line, .size = sizeof(line)};

	listing_measure(rows, live->count, &live->style, &columns);
	listing_header(&columns, columns_shown, line);
	if (live->bold)
		ncurses->wattron(live->window, A_BOLD);
	put_line(live, 1, line);
	ncurses->wattroff(live->window, A_BOLD);
	for (size_t i = 0; i < visible && live->top + i < live->count; i++) {
		text.length = listing_line(rows[live->top + i], &columns, &live->style,
		                           columns_shown, line);
		/* The address is cut too, because its end would otherwise appear in the next
		 * row. */
		text_cut(&text, columns_shown);
		put_line(live, TITLE_ROWS + (int)i, line);
	}
}

int live_draw(struct live *live, const struct listing *listing, const struct explain *explain,
              int64_t now)
{
	const struct format_fields **rows;

	if (live_next(live) == 0 || now < live_next(live))
		return 0;
	rows = calloc(listing->count + 1, sizeof(const struct format_fields *));
	if (!rows)
		return -ENOMEM;
	listing_sort(listing, rows);
	live->count = listing->count;
	limit_top(live);
	ncurses->werase(live->window);
	draw_title(live, explain);
	draw_table(live, rows);
	ncurses->wrefresh(live->window);
	free(rows);
	live->changed = false;
	live->drawn_ms = now;
	return 0;
}

/* --- the user ----------------------------------------------------------------------------------
 */

static void scroll_by(struct live *live, size_t down, size_t up)
{
	size_t top = live->top;

	live->top = live->top < up ? 0 : live->top - up;
	live->top = down > SIZE_MAX - live->top ? SIZE_MAX : live->top + down;
	limit_top(live);
	if (live->top != top) {
		live->changed = true;
		/* The effect of a key is drawn at once. */
		live->drawn_ms = 0;
	}
}

bool live_take_keys(struct live *live)
{
	size_t page = visible_rows(live);
	int key;

	while ((key = ncurses->wgetch(live->window)) != ERR) {
		switch (key) {
		case 'q':
		case 'Q':
			return false;
		case 'j':
		case KEY_DOWN:
			scroll_by(live, 1, 0);
			break;
		case 'k':
		case KEY_UP:
			scroll_by(live, 0, 1);
			break;
		case ' ':
		case KEY_NPAGE:
			scroll_by(live, page, 0);
			break;
		case 'b':
		case KEY_PPAGE:
			scroll_by(live, 0, page);
			break;
		case 'g':
		case KEY_HOME:
			scroll_by(live, 0, SIZE_MAX);
			break;
		case 'G':
		case KEY_END:
			scroll_by(live, SIZE_MAX, 0);
			break;
		case 'L' - '@': /* Ctrl-L */
			ncurses->clearok(live->window, TRUE);
			live->changed = true;
			break;
		default:
			break;
		}
	}
	return true;
}

static void resize(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		ncurses->resizeterm(size.ws_row, size.ws_col);
}

void live_take_signal(struct live *live, int signal_number)
{
	if (signal_number == SIGTSTP) {
		ncurses->endwin();
		kill(getpid(), SIGSTOP);
	}
	/* Other programs may have written to the terminal meanwhile, and its size may have
	 * changed. */
	ncurses->reset_prog_mode();
	resize();
	ncurses->clearok(live->window, TRUE);
	ncurses->curs_set(0);
	live->changed = true;
	live->drawn_ms = 0;
}

#else /* without ncurses */

const char *live_obstacle(void)
{
	return "this pwatch was built without ncurses; configure found no ncursesw";
}

struct live *live_open(const struct format_style *style, const char *way)
{
	(void)style;
	(void)way;
	message_error("cannot show a table: %s", live_obstacle());
	return NULL;
}

void live_close(struct live *live)
{
	(void)live;
}

void live_change(struct live *live)
{
	(void)live;
}

int64_t live_next(const struct live *live)
{
	(void)live;
	return 0;
}

int live_draw(struct live *live, const struct listing *listing, const struct explain *explain,
              int64_t now)
{
	(void)live;
	(void)listing;
	(void)explain;
	(void)now;
	return 0;
}

bool live_take_keys(struct live *live)
{
	(void)live;
	return false;
}

void live_take_signal(struct live *live, int signal_number)
{
	(void)live;
	(void)signal_number;
}

#endif
