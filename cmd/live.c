/* SPDX-License-Identifier: MIT */
/* live.c - the table of --live, kept up to date on a terminal
 *
 * The terminal is changed for all who use it, so it is put back on each way out: by live_close(),
 * at a stop (SIGTSTP) until it goes on, and by the handler of signals that end pwatch at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live.h"
#include "message.h"
#include "moment.h"

#if HAVE_NCURSES

#include <curses.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "text.h"

/* At least that long a picture stays, in milliseconds: more of them nobody can see. */
#define DRAW_INTERVAL 100

/* The line with the title, and the header. */
#define TITLE_ROWS 2

struct live {
	SCREEN *screen;
	struct format_style style;
	bool bold;
	const char *way;
	size_t top;   /* the first row that is shown */
	size_t count; /* rows that there are */
	bool changed;
	int64_t drawn_ms;
};

const char *live_obstacle(void)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return "standard input and output must be a terminal";
	return NULL;
}

/* --- a sudden end ------------------------------------------------------------------------------
 */

/* What ends a process that hasn't handled it. Signals that pwatch waits for are blocked. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS,  SIGABRT, SIGFPE,  SIGILL,  SIGSYS,   SIGTRAP,
                                    SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGPROF, SIGVTALRM};
#define FATAL_SIGNALS (sizeof(fatal_signals) / sizeof(fatal_signals[0]))

/* All that the handler needs, which can't ask ncurses. */
static struct {
	pid_t pid;
	struct termios before;
	char sequence[256]; /* leaves the other screen, and shows the cursor */
	size_t length;
	struct sigaction actions[FATAL_SIGNALS];
} rescue;

/* In the thread that has failed, or in a process that was forked: only system calls. */
static void rescue_terminal(int signal_number)
{
	struct sigaction action;

	if (getpid() == rescue.pid) {
		if (write(STDOUT_FILENO, rescue.sequence, rescue.length) < 0)
			rescue.length = 0;
		tcsetattr(STDOUT_FILENO, TCSANOW, &rescue.before);
	}
	/* It is blocked here, and comes again when the handler returns. */
	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(signal_number, &action, NULL);
	raise(signal_number);
}

static void add_sequence(struct text *sequence, const char *capability)
{
	/* NULL or -1 where the terminal has none. */
	const char *value = tigetstr(capability);

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

/* The description of the terminal is the system's, not one that a less privileged caller has made:
 * ncurses reads it with all that pwatch may do. The size is that of the terminal: LINES and COLUMNS
 * could ask for a screen of gigabytes. */
static void distrust_environment(void)
{
	static const char *const names[] = {"TERMINFO", "TERMINFO_DIRS", "TERMCAP", "TERMPATH",
	                                    "HOME",     "NCURSES_TRACE", "LINES",   "COLUMNS"};

	if (getauxval(AT_SECURE) == 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
}

/* As newterm(3), without the handlers that ncurses installs for itself: pwatch waits for these
 * signals, and the library's helpers would have the handlers too. */
static SCREEN *open_screen(const char *terminal)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
	struct sigaction actions[sizeof(numbers) / sizeof(numbers[0])];
	SCREEN *screen;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], NULL, &actions[i]);
	screen = newterm(terminal, stdout, stdin);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &actions[i], NULL);
	return screen;
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
	/* Only ncurses may write to the terminal. */
	live->style.colour = false;
	live->bold = style->colour;
	live->way = way;
	/* What is open already comes at once: the first picture has it. */
	live->changed = true;
	live->drawn_ms = now_ms();
	distrust_environment();
	if (tcgetattr(STDOUT_FILENO, &rescue.before) == 0)
		live->screen = open_screen(terminal && *terminal != '\0' ? terminal : "dumb");
	if (!live->screen) {
		message_error("cannot show a table on a terminal of the type '" MESSAGE_NAME
		              "' (TERM)",
		              terminal ? terminal : "");
		free(live);
		return NULL;
	}
	prepare_rescue();
	/* Ctrl-C and Ctrl-Z remain signals. */
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	return live;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	endwin();
	delscreen(live->screen);
	/* Whatever ncurses makes of a terminal whose type is wrong. */
	tcsetattr(STDOUT_FILENO, TCSADRAIN, &rescue.before);
	end_rescue();
	free(live);
}

/* --- the picture -------------------------------------------------------------------------------
 */

void live_change(struct live *live)
{
	live->changed = true;
}

int64_t live_next(const struct live *live)
{
	return live->changed ? live->drawn_ms + DRAW_INTERVAL : 0;
}

static size_t visible_rows(void)
{
	return LINES > TITLE_ROWS ? (size_t)(LINES - TITLE_ROWS) : 0;
}

static void limit_top(struct live *live)
{
	size_t visible = visible_rows();
	size_t last = live->count > visible ? live->count - visible : 0;

	if (live->top > last)
		live->top = last;
}

static void put_line(int row, const char *line)
{
	if (row < LINES)
		mvaddstr(row, 0, line);
}

static void draw_title(const struct live *live, const struct explain *explain)
{
	size_t first = live->top + 1, last = live->top + visible_rows();
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
	text_cut(&title, (size_t)COLS);
	put_line(0, buffer);
}

static void draw_table(const struct live *live, const struct format_fields *const *rows)
{
	size_t visible = visible_rows(), width = (size_t)COLS;
	struct listing_columns columns;
	char line[FORMAT_LINE_MAX];
	struct text text = {.data = line, .size = sizeof(line)};

	listing_measure(rows, live->count, &live->style, &columns);
	listing_header(&columns, width, line);
	if (live->bold)
		attron(A_BOLD);
	put_line(1, line);
	attroff(A_BOLD);
	for (size_t i = 0; i < visible && live->top + i < live->count; i++) {
		text.length =
			listing_line(rows[live->top + i], &columns, &live->style, width, line);
		/* The address too, or its end would be on the next row. */
		text_cut(&text, width);
		put_line(TITLE_ROWS + (int)i, line);
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
	erase();
	draw_title(live, explain);
	draw_table(live, rows);
	refresh();
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
		/* Who presses a key waits for it. */
		live->drawn_ms = 0;
	}
}

bool live_take_keys(struct live *live)
{
	size_t page = visible_rows();
	int key;

	while ((key = getch()) != ERR) {
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
			clearok(curscr, TRUE);
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
		resizeterm(size.ws_row, size.ws_col);
}

void live_take_signal(struct live *live, int signal_number)
{
	if (signal_number == SIGTSTP) {
		endwin();
		kill(getpid(), SIGSTOP);
	}
	/* Others may have written there meanwhile, and it may have another size. */
	reset_prog_mode();
	resize();
	clearok(curscr, TRUE);
	curs_set(0);
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
