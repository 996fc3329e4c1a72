/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/top.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>

#define PERIOD_MS 1000
/* Rates are over so many periods: what happens seldom can be seen, too. */
#define WINDOW	   10
#define KEY_ESCAPE 27

struct top {
	const char *path;
	const struct state *state;
	ino_t inode; /* a master that was started anew has another file */
	struct top_sample sample;
	struct top_totals past[WINDOW];
	size_t past_count, past_next;
	enum top_sort sort;
	char filter[TOP_FILTER_SIZE];
	bool is_typing; /* the filter */
	struct top_page page;
};

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
	(void)number;
	is_over = 1;
}

static bool fail(const char *path, const char *why)
{
	fprintf(stderr, "postern: fatal: %s: %s\n", path, why);
	return false;
}

/* The file, if it is not the one that is mapped. */
static bool open_state(struct top *top)
{
	const struct state *state;
	struct stat status;

	if (top->state != NULL && stat(top->path, &status) == 0 &&
	    status.st_ino == top->inode)
		return true;
	state = state_open(top->path);
	if (state == NULL)
		return top->state != NULL; /* it was stopped: the last view */
	state_close(&top->state);
	top->state = state;
	top->inode = stat(top->path, &status) == 0 ? status.st_ino : 0;
	top->past_count = 0;
	top->past_next = 0;
	return true;
}

/* The oldest that is kept, or NULL; then keeps the present one. */
static bool look(struct top *top, struct top_view *view)
{
	const struct top_totals *before = NULL;

	if (!open_state(top) || !top_sample_read(&top->sample, top->state))
		return false;
	if (top->past_count > 0)
		before =
		    &top->past[top->past_count < WINDOW ? 0 : top->past_next];
	if (!top_view_make(view, &top->sample, before, top->sort, top->filter))
		return false;
	top->past[top->past_next] = top->sample.totals;
	top->past_next = (top->past_next + 1) % WINDOW;
	if (top->past_count < WINDOW)
		top->past_count++;
	return true;
}

static bool is_running(const struct top *top)
{
	return kill(top->sample.master, 0) == 0 || errno == EPERM;
}

static void draw_foot(const struct top *top, const struct top_view *view)
{
	char foot[TOP_COLUMNS_MAX + 1];

	if (top->is_typing)
		snprintf(foot, sizeof(foot),
		    "Filter: %s_  (Enter: take it, Esc: none)", top->filter);
	else
		snprintf(foot, sizeof(foot),
		    "%sq quit  s sort by %s  / filter%s%s  %zu of %zu sessions",
		    is_running(top) ? "" : "STOPPED  ",
		    top_sort_word(top->sort),
		    top->filter[0] == '\0' ? "" : ": ", top->filter,
		    view->matched, top->sample.session_count);
	attron(A_REVERSE);
	/* Not the last cell: some terminals would scroll. */
	mvaddnstr(LINES - 1, 0, foot, COLS - 1);
	attroff(A_REVERSE);
}

static void draw(struct top *top, const struct top_view *view)
{
	size_t rows = LINES > 1 ? (size_t)LINES - 1 : 1;

	top_view_page(view, (size_t)COLS, rows, &top->page);
	erase();
	for (size_t i = 0; i < top->page.count; i++) {
		if (top->page.lines[i].is_heading)
			attron(A_BOLD);
		mvaddnstr((int)i, 0, top->page.lines[i].text, COLS);
		attroff(A_BOLD);
	}
	draw_foot(top, view);
	refresh();
}

static void type(struct top *top, int key)
{
	size_t len = strlen(top->filter);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		top->is_typing = false;
	} else if (key == KEY_ESCAPE) {
		top->is_typing = false;
		top->filter[0] = '\0';
	} else if (key == KEY_BACKSPACE || key == '\b' || key == 0x7f) {
		if (len > 0)
			top->filter[len - 1] = '\0';
	} else if (key > ' ' && key <= '~' && len + 1 < TOP_FILTER_SIZE) {
		top->filter[len] = (char)key;
		top->filter[len + 1] = '\0';
	}
}

static void obey(struct top *top, int key)
{
	if (top->is_typing) {
		type(top, key);
		return;
	}
	if (key == 'q' || key == 'Q')
		is_over = 1;
	else if (key == 's')
		top->sort = (enum top_sort)((top->sort + 1) % TOP_SORT_COUNT);
	else if (key == '/')
		top->is_typing = true;
	else if (key == KEY_ESCAPE)
		top->filter[0] = '\0';
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A key changes the view of what was read; only the time reads anew, so that
 * keys do not shorten the window of the rates. */
static bool watch(struct top *top)
{
	struct top_view view;
	int64_t next_ms = now_in_ms();

	while (is_over == 0) {
		int64_t left_ms = next_ms - now_in_ms();
		const struct top_totals *before;
		int key;

		if (left_ms <= 0) {
			if (!look(top, &view))
				return false;
			next_ms = now_in_ms() + PERIOD_MS;
		} else {
			before = &top->past[top->past_count < WINDOW
						? 0
						: top->past_next];
			if (!top_view_make(&view, &top->sample, before,
				top->sort, top->filter))
				return false;
		}
		draw(top, &view);
		top_view_finish(&view);
		left_ms = next_ms - now_in_ms();
		timeout(left_ms > 0 ? (int)left_ms : 0);
		key = getch();
		if (key != ERR)
			obey(top, key);
	}
	return true;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static bool watch_on_terminal(struct top *top)
{
	SCREEN *screen;
	bool done;

	if (isatty(STDOUT_FILENO) != 1 || isatty(STDIN_FILENO) != 1)
		return fail("top", "it wants a terminal; see --once");
	set_escdelay(25);
	screen = newterm(NULL, stdout, stdin);
	if (screen == NULL)
		return fail("top", "TERM names no terminal that is known");
	catch_signals(); /* instead of the library's own */
	set_term(screen);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	done = watch(top);
	endwin();
	delscreen(screen);
	return done;
}

static bool print_page(struct top *top, const struct top_view *view)
{
	top_view_page(view, TOP_COLUMNS_MAX, TOP_LINES_MAX, &top->page);
	for (size_t i = 0; i < top->page.count; i++)
		printf("%s\n", top->page.lines[i].text);
	return fflush(stdout) == 0;
}

static bool print_once(struct top *top, bool json)
{
	struct timespec period = {.tv_sec = PERIOD_MS / 1000};
	struct top_view view;
	bool done;

	if (!look(top, &view))
		return false;
	top_view_finish(&view);
	nanosleep(&period, NULL);
	if (!look(top, &view))
		return false;
	done = json ? top_view_json(stdout, &view) : print_page(top, &view);
	top_view_finish(&view);
	return done && fflush(stdout) == 0;
}

int top_run(const struct top_options *options, const char *state_path)
{
	struct top *top = calloc(1, sizeof(*top));
	bool done;

	if (top == NULL)
		return EXIT_FAILURE;
	top->path = state_path;
	top->sort = options->sort;
	snprintf(top->filter, sizeof(top->filter), "%s",
	    options->filter == NULL ? "" : options->filter);
	errno = 0;
	done = open_state(top) || fail(state_path, strerror(errno));
	if (done)
		done = options->once ? print_once(top, options->json)
				     : watch_on_terminal(top);
	top_sample_finish(&top->sample);
	state_close(&top->state);
	free(top);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
