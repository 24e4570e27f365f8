//! The summary as a page for a browser and a printer: one file, no scripts, nothing from elsewhere.
//!
//! Source: WCAG 2.2 for contrast, headings, table headers and text beside symbols.

use super::summary::Summary;
use super::summary_parts::Entry;
use super::summary_text::{HEADS, MAX_ROWS, Rows, Section, cells};
use super::text::escape;
use super::trend::Trend;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1f;--paper:#fff;--line:#c4c4cc;--soft:#55555f;--loud:#a3140a}\
@media(prefers-color-scheme:dark){:root{--ink:#ececf1;--paper:#17171b;--line:#4a4a55;--soft:#b4b4c0;--loud:#ff9d94}}\
*{box-sizing:border-box}\
body{margin:0 auto;max-width:60rem;padding:1.5rem;background:var(--paper);color:var(--ink);font:1rem/1.45 system-ui,sans-serif}\
h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:1.5rem 0 .4rem;border-bottom:2px solid var(--line)}\
.who{font-size:1.1rem;margin:.1rem 0}.soft{color:var(--soft)}.loud{color:var(--loud);font-weight:600}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}\
thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}\
@media print{:root{--ink:#000;--paper:#fff;--line:#999;--soft:#333;--loud:#000}\
body{max-width:none;padding:0;font-size:10pt}h2{break-after:avoid}tr{break-inside:avoid}thead{display:table-header-group}.scroll{overflow:visible}}\
@page{margin:15mm}";

impl Summary {
    /// A complete HTML page that needs nothing else: it can be mailed, kept and printed.
    pub fn to_html(&self) -> String {
        let mut out = String::from(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>Health summary</title>\n<style>",
        );
        out.push_str(STYLE);
        out.push_str("</style>\n</head>\n<body>\n<header>\n<h1>Health summary</h1>\n");
        for who in self.who() {
            out.push_str(&format!("<p class=\"who\">{}</p>\n", escape(&who)));
        }
        for loud in self.loud() {
            out.push_str(&format!("<p class=\"loud\">{}</p>\n", escape(&loud)));
        }
        out.push_str("</header>\n<main>\n");
        for section in self.sections() {
            write_section(&mut out, &section);
        }
        out.push_str("</main>\n<footer>\n");
        out.push_str(&format!(
            "<p class=\"soft\">{}</p>\n",
            escape(&self.closing())
        ));
        out.push_str("</footer>\n</body>\n</html>\n");
        out
    }
}

fn write_section(out: &mut String, section: &Section<'_>) {
    let id = section.title.to_lowercase().replace(' ', "-");
    let title = section.title;
    out.push_str(&format!(
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n"
    ));
    match &section.rows {
        Rows::Entries(entries) if !entries.is_empty() => entry_table(out, title, entries),
        Rows::Trends(trends) if !trends.is_empty() => trend_table(out, title, trends),
        _ => {}
    }
    for none in section.none_known {
        let date = none
            .date
            .as_ref()
            .map(|date| format!(" ({date})"))
            .unwrap_or_default();
        out.push_str(&format!(
            "<p>Recorded: {}{}</p>\n",
            escape(&none.text),
            escape(&date)
        ));
    }
    if let Some(more) = section.rows.len().checked_sub(MAX_ROWS).filter(|n| *n > 0) {
        out.push_str(&format!("<p class=\"soft\">… and {more} more</p>\n"));
    }
    if section.rows.len() == 0
        && section.none_known.is_empty()
        && let Some(nothing) = section.nothing
    {
        out.push_str(&format!("<p class=\"soft\">{nothing}</p>\n"));
    }
    out.push_str("</section>\n");
}

fn open_table(out: &mut String, caption: &str, heads: &[&str]) {
    // a wide table scrolls in a region that the keyboard reaches
    out.push_str(&format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n<thead><tr>"
    ));
    for head in heads {
        out.push_str(&format!("<th scope=\"col\">{head}</th>"));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
}

fn close_table(out: &mut String) {
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn entry_table(out: &mut String, caption: &str, entries: &[&Entry]) {
    open_table(
        out,
        caption,
        &["What", "Details", "Status", "Date", "Records"],
    );
    for entry in entries.iter().take(MAX_ROWS) {
        let date = entry
            .date
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let detail = entry.detail.as_deref().unwrap_or_default();
        let loud = if detail.starts_with("high risk") {
            " class=\"loud\""
        } else {
            ""
        };
        out.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td{loud}>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            escape(&entry.text),
            escape(detail),
            escape(entry.status.as_deref().unwrap_or_default()),
            escape(&date),
            entry.count,
        ));
    }
    close_table(out);
}

fn trend_table(out: &mut String, caption: &str, trends: &[Trend]) {
    open_table(out, caption, &HEADS);
    for trend in trends.iter().take(MAX_ROWS) {
        let cells = cells(trend, 4);
        let mut row = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let cell = escape(cell);
            row.push_str(&match (at, trend.direction) {
                (0, _) => format!("<th scope=\"row\">{cell}</th>"),
                (2, _) if trend_is_loud(trend) => format!("<td class=\"loud\">{cell}</td>"),
                // a symbol is read aloud as a word
                (4, Some(direction)) => format!(
                    "<td><span role=\"img\" aria-label=\"{}\">{cell}</span></td>",
                    direction.word()
                ),
                _ => format!("<td>{cell}</td>"),
            });
        }
        out.push_str(&format!("<tr>{row}</tr>\n"));
    }
    close_table(out);
}

fn trend_is_loud(trend: &Trend) -> bool {
    let flag = trend.points.first().and_then(|point| point.flag.as_deref());
    flag.is_some_and(|flag| {
        !matches!(
            flag,
            "normal" | "negative" | "not detected" | "not reactive"
        )
    })
}
