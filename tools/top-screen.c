/* top-screen.c - chute top on a terminal.
 *
 *     summary
 *     titles
 *     a queue a line, or the members of one         the chosen line is reversed
 *     what is to say about the chosen queue         two lines
 *     keys, or the filter being typed
 *
 * Each frame is drawn anew into curses' own picture, and curses sends what has
 * changed; so nothing flickers. The choice follows the name, not the line.
 *
 * Proof: tests/tool/top.py, on a terminal of its own.
 */
#define _GNU_SOURCE
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

enum colour { PLAIN, GOOD, WARNING, SEVERE };

#define ESCAPE 27

struct screen {
    struct top *top;
    SCREEN *terminal;
    char chosen[204]; /* the name, "" before the first look */
    size_t row;       /* where it is */
    size_t first;     /* the line at the top of the list */
    bool is_open;     /* its members are shown */
    size_t first_member;
    bool paused, typing, quit;
    char old_filter[64];
};

static void colours_begin(void)
{
    const char *no = getenv("NO_COLOR");

    if ((no && *no) || !has_colors())
        return;
    start_color();
    use_default_colors();
    init_pair(GOOD, COLOR_GREEN, -1);
    init_pair(WARNING, COLOR_YELLOW, -1);
    init_pair(SEVERE, COLOR_RED, -1);
}

/* A line, cut to the screen and padded, so that reverse goes to its end. */
static void draw_line(int y, attr_t attr, enum colour colour, const char *text)
{
    if (y < 0 || y >= LINES)
        return;
    if (has_colors())
        attr |= (attr_t)COLOR_PAIR(colour);
    attron(attr);
    mvprintw(y, 0, "%-*.*s", COLS, COLS, text);
    attroff(attr);
}

/* In two lines, broken at a blank. */
static void draw_wrapped(int y, enum colour colour, char *text)
{
    size_t cut = strlen(text);

    if (cut <= (size_t)COLS) {
        draw_line(y + 1, A_NORMAL, colour, text);
        return;
    }
    cut = (size_t)COLS;
    while (cut > 0 && text[cut] != ' ')
        cut--;
    if (cut == 0)
        cut = (size_t)COLS;
    draw_line(y + 1, A_NORMAL, colour, text + cut + (text[cut] == ' '));
    text[cut] = '\0';
    draw_line(y, A_NORMAL, colour, text);
}

/* -- the list ---------------------------------------------------------------------------- */

static size_t n_list_lines(void)
{
    return LINES > 6 ? (size_t)LINES - 5 : 1;
}

static const struct queue_view *chosen(const struct screen *s)
{
    return s->row < s->top->n_rows ? s->top->rows[s->row] : NULL;
}

static void choose(struct screen *s, size_t row)
{
    if (s->top->n_rows == 0)
        return;
    s->row = row < s->top->n_rows ? row : s->top->n_rows - 1;
    snprintf(s->chosen, sizeof s->chosen, "%s", s->top->rows[s->row]->name);
}

/* Where the chosen queue has gone to; if it is no more, the line stays. */
static void find_chosen(struct screen *s)
{
    for (size_t i = 0; i < s->top->n_rows; i++)
        if (strcmp(s->top->rows[i]->name, s->chosen) == 0) {
            s->row = i;
            return;
        }
    s->is_open = false;
    choose(s, s->row);
}

static enum colour colour_of(const struct queue_view *view)
{
    return view->is_bad ? SEVERE : *view->hint ? WARNING : PLAIN;
}

static void draw_list(struct screen *s)
{
    size_t n_lines = n_list_lines();
    char line[512];

    if (s->row < s->first)
        s->first = s->row;
    if (s->row >= s->first + n_lines)
        s->first = s->row - n_lines + 1;
    if (s->first + n_lines > s->top->n_rows)
        s->first = s->top->n_rows > n_lines ? s->top->n_rows - n_lines : 0;
    top_line(NULL, COLS, line, sizeof line);
    draw_line(1, A_BOLD | A_UNDERLINE, PLAIN, line);
    for (size_t i = 0; i < n_lines && s->first + i < s->top->n_rows; i++) {
        const struct queue_view *view = s->top->rows[s->first + i];
        top_line(view, COLS, line, sizeof line);
        draw_line(2 + (int)i, s->first + i == s->row ? A_REVERSE : A_NORMAL,
                  colour_of(view), line);
    }
    if (s->top->n_rows == 0)
        draw_line(2, A_NORMAL, PLAIN,
                  s->top->filter[0] ? "no queue has such a name"
                                    : "no queues; 'chute create' makes one");
}

static void draw_members(struct screen *s)
{
    const struct queue_view *view = chosen(s);
    size_t n_lines = n_list_lines();
    char line[512];

    if (!view)
        return;
    n_lines = n_lines > 3 ? n_lines - 2 : 1;
    top_line(NULL, COLS, line, sizeof line);
    draw_line(1, A_BOLD | A_UNDERLINE, PLAIN, line);
    top_line(view, COLS, line, sizeof line);
    draw_line(2, A_NORMAL, colour_of(view), line);
    top_member_line(NULL, line, sizeof line);
    draw_line(3, A_BOLD | A_UNDERLINE, PLAIN, line);
    if (s->first_member + n_lines > view->n_members)
        s->first_member =
            view->n_members > n_lines ? view->n_members - n_lines : 0;
    for (size_t i = 0; i < n_lines && s->first_member + i < view->n_members;
         i++) {
        const struct member_view *m = &view->members[s->first_member + i];
        top_member_line(m, line, sizeof line);
        draw_line(4 + (int)i, A_NORMAL,
                  member_is_stopped(m) || !member_is_alive(m) ? SEVERE : PLAIN,
                  line);
    }
    if (view->n_members == 0)
        draw_line(4, A_NORMAL, PLAIN, "nobody has put or got");
}

static void draw(struct screen *s)
{
    static const char keys[] =
        "q quit  enter open  s sort  r reverse  / filter  space pause";
    const struct queue_view *view = chosen(s);
    char line[700], summary[256];

    erase();
    top_summary(s->top, summary, sizeof summary);
    snprintf(line, sizeof line, "chute top - %s%s", summary,
             s->paused ? "  PAUSED" : "");
    draw_line(0, A_BOLD, PLAIN, line);
    if (s->is_open)
        draw_members(s);
    else
        draw_list(s);
    if (view && *view->hint) {
        snprintf(line, sizeof line, "%s: %s", view->name, view->hint);
        draw_wrapped(LINES - 3, colour_of(view), line);
    }
    if (s->typing)
        snprintf(line, sizeof line, "filter: %s_", s->top->filter);
    else if (s->is_open)
        snprintf(line, sizeof line, "q quit  esc back  space pause");
    else
        snprintf(line, sizeof line, "by %s%s   %s%s%s%s",
                 top_columns[s->top->sort].key,
                 s->top->reverse ? ", reversed" : "",
                 s->top->filter[0] ? "filter " : "", s->top->filter,
                 s->top->filter[0] ? "   " : "", keys);
    draw_line(LINES - 1, A_DIM, PLAIN, line);
    refresh();
}

/* -- keys ------------------------------------------------------------------------------------ */

static void rearrange(struct screen *s)
{
    top_arrange(s->top);
    find_chosen(s);
}

static void type_filter(struct screen *s, int key)
{
    char *filter = s->top->filter;
    size_t len = strlen(filter);

    if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        s->typing = false;
    } else if (key == ESCAPE) {
        s->typing = false;
        strcpy(filter, s->old_filter);
    } else if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
        if (len)
            filter[len - 1] = '\0';
    } else if (key > ' ' && key < 127 && len + 1 < sizeof s->top->filter) {
        filter[len] = (char)key;
        filter[len + 1] = '\0';
    }
    rearrange(s);
}

static void next_sort(struct screen *s)
{
    do {
        s->top->sort++;
        if (!top_columns[s->top->sort].title)
            s->top->sort = 0;
    } while (!top_columns[s->top->sort].key || !*top_columns[s->top->sort].key);
    rearrange(s);
}

/* Up and down: of the list, or of the members. */
static void move_by(struct screen *s, long n)
{
    size_t *at = s->is_open ? &s->first_member : &s->row;

    *at = n < 0 && (size_t)-n > *at ? 0 : *at + (size_t)n;
    if (!s->is_open)
        choose(s, s->row);
}

static void open_or_close(struct screen *s, bool open)
{
    s->is_open = open && chosen(s);
    s->first_member = 0;
}

static void on_key(struct screen *s, int key)
{
    long page = (long)n_list_lines() - 1;

    if (s->typing) {
        type_filter(s, key);
        return;
    }
    switch (key) {
    case 'q':
        s->quit = true;
        break;
    case 's':
        next_sort(s);
        break;
    case 'r':
        s->top->reverse = !s->top->reverse;
        rearrange(s);
        break;
    case '/':
    case 'f':
        s->typing = true;
        s->is_open = false;
        strcpy(s->old_filter, s->top->filter);
        break;
    case ' ':
        s->paused = !s->paused;
        break;
    case KEY_UP:
    case 'k':
        move_by(s, -1);
        break;
    case KEY_DOWN:
    case 'j':
        move_by(s, 1);
        break;
    case KEY_PPAGE:
        move_by(s, -page);
        break;
    case KEY_NPAGE:
        move_by(s, page);
        break;
    case KEY_HOME:
        move_by(s, -(1L << 30));
        break;
    case KEY_END:
        move_by(s, 1L << 30);
        break;
    case '\n':
    case '\r':
    case KEY_ENTER:
    case KEY_RIGHT:
        open_or_close(s, true);
        break;
    case ESCAPE:
    case KEY_LEFT:
    case KEY_BACKSPACE:
        open_or_close(s, false);
        break;
    default:
        break;
    }
}

/* -- the loop ---------------------------------------------------------------------------------- */

static int look(struct screen *s)
{
    int status = top_look(s->top);

    if (status == DONE)
        find_chosen(s);
    return status;
}

/* Till it is time for the next look; a key redraws at once. */
static void wait_and_draw(struct screen *s, uint64_t due)
{
    uint64_t now;

    while (!s->quit && !signals_status() && (now = units_now()) < due) {
        draw(s);
        timeout((int)((due - now) / 1000000) + 1);
        int key = getch();
        if (key != ERR)
            on_key(s, key);
    }
}

static int loop(struct screen *s)
{
    uint64_t due = units_now();
    int status = DONE;

    for (uint64_t n = 0; status == DONE && !s->quit; n++) {
        if (s->top->n_frames && n == s->top->n_frames)
            break;
        if (!s->paused || n == 0)
            status = look(s);
        due += (uint64_t)s->top->delay_ns;
        if (due < units_now()) /* we were stopped */
            due = units_now() + (uint64_t)s->top->delay_ns;
        if (status == DONE)
            wait_and_draw(s, due);
        if (signals_status())
            status = signals_status();
    }
    return status;
}

int top_screen(struct top *top)
{
    struct screen s = {.top = top};

    int status = top_look(top); /* complains on the terminal as it is */
    if (status != DONE)
        return status;
    s.terminal = newterm(NULL, stdout, stdin);
    if (!s.terminal)
        return complain("curses does not know the terminal '%s'; --batch does "
                        "not need it",
                        getenv("TERM") ? getenv("TERM") : "");
    set_escdelay(25);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    (void)curs_set(0);
    colours_begin();
    status = loop(&s);
    endwin();
    delscreen(s.terminal);
    return status;
}
