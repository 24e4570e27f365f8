//! Text fit to print: cleaned, measured and wrapped.

/// Longest text of one line of a page, in characters; the rest is cut with a mark.
pub(crate) const MAX_TEXT: usize = 20_000;

/// A text of several lines made fit to print. Line breaks and inner spaces stay; control and
/// direction-changing characters go, as does more than one empty line in a row. It ends with `…`
/// after `limit` characters.
pub fn clean_lines(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut count = 0usize;
    let mut spaces = 0usize;
    let mut breaks = 0usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                breaks += 1;
                spaces = 0;
            }
            c if c.is_whitespace() => spaces += 1,
            c if hidden(c) => {}
            c => {
                let new_lines = if out.is_empty() { 0 } else { breaks.min(2) };
                let gap = if out.is_empty() { 0 } else { spaces.min(200) };
                count += new_lines + gap + 1;
                if count > limit {
                    out.push('…');
                    return out;
                }
                out.extend(std::iter::repeat_n('\n', new_lines));
                out.extend(std::iter::repeat_n(' ', gap));
                (breaks, spaces) = (0, 0);
                out.push(c);
            }
        }
    }
    out
}

/// Longest text of one line, in characters.
const MAX_LINE: usize = 2000;

/// A text as one line fit to print: white space becomes single spaces, control and
/// direction-changing characters go. It ends with `…` after 2000 characters, so that nobody takes a
/// cut dose for a whole one.
pub(crate) fn clean_line(text: &str) -> String {
    let mut out = String::new();
    let mut gap = false;
    for (count, c) in text
        .chars()
        .filter(|c| c.is_whitespace() || !hidden(*c))
        .enumerate()
    {
        if count >= MAX_LINE {
            out.push('…');
            break;
        }
        if c.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        if gap {
            out.push(' ');
        }
        gap = false;
        out.push(c);
    }
    out
}

/// Control characters and those that reorder or hide what a terminal shows (Unicode UAX #9).
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// A text as content of HTML, XHTML or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // XML 1.0 has no place for them, escaped or not
            c if c.is_control() && c != '\n' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Columns of a terminal that a text takes, near enough: East Asian letters and emoji take two,
/// combining marks none.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

fn char_width(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200d | 0x20d0..=0x20ff | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Breaks a text into lines of at most `columns`, at spaces where there are any. Its own line
/// breaks stay.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        if width(paragraph) <= columns {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        let mut used = 0usize;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let needed = width(word);
            if used > 0 && used + 1 + needed > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            for c in word.chars() {
                let needed = char_width(c);
                if used + needed > columns {
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(c);
                used += needed;
            }
        }
        lines.push(line);
    }
    lines
}

/// A text and as many spaces as it lacks of `columns`.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_what_moves_a_terminal_goes() {
        assert_eq!(
            clean_lines(" \r\n a  b\u{1b}[2J\tc \n\n\n\nd\u{202e}\re  \n", 100),
            "a  b[2J c\n\nd\ne"
        );
        assert_eq!(clean_lines("abcdef", 3), "abc…");
        assert_eq!(clean_lines("abc", 3), "abc");
        assert_eq!(clean_lines("\u{7}\n", 3), "");
    }

    #[test]
    fn one_line_is_cut_with_a_mark() {
        assert_eq!(clean_line(" a \r\n\u{1b}b\u{202e}\tc "), "a b c");
        let long = clean_line(&"é".repeat(3000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (2001, true));
    }

    #[test]
    fn wrapped_at_spaces_and_inside_long_words() {
        assert_eq!(wrap("one two three\nfour", 8), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefghij", 8), ["abcdefgh", "ij"]);
        assert_eq!(wrap("王秀英王秀英", 8), ["王秀英王", "秀英"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(pad("王", 4), "王  ");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escape("<a href=\"x\">'&\u{1}"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp; "
        );
    }
}
