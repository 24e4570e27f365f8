//! Data on standard output, everything else on standard error.

use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// Headings and what matters.
pub const BOLD: Style = Style::new().bold();
/// What may be skipped.
pub const DIM: Style = Style::new().dimmed();
/// All is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Wraps a text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Length of lines that are gathered before they are written, in bytes.
const LINES_LEN: usize = 1 << 20;

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// JSON instead of text.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
}

impl Output {
    /// Writes text to standard output, as it is.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Writes one JSON value on one line.
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        self.json_lines([value])
    }

    /// Writes each value on a line of its own (JSON Lines), as they come.
    pub fn json_lines<T: Serialize>(&self, values: impl IntoIterator<Item = T>) -> Result<()> {
        let mut text = String::new();
        for value in values {
            let line = serde_json::to_string(&value).map_err(std::io::Error::from)?;
            let _ = writeln!(text, "{line}");
            if text.len() >= LINES_LEN {
                self.print(&text)?;
                text.clear();
            }
        }
        self.print(&text)
    }

    /// Tells what happened; silent with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Tells what must not be missed.
    pub fn warn(&self, text: impl Display) {
        self.say(format!("{} {text}", paint(WARN, "warning:")));
    }

    /// Writes a line to standard error.
    pub fn say(&self, text: impl Display) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Tells why the command failed.
    pub fn fail(&self, error: &Error) {
        if error.is_silent() {
            return;
        }
        if self.json {
            return self.say(error_json(error));
        }
        self.say(format!(
            "medvault: {} {}",
            paint(BAD, "error:"),
            error.message
        ));
        if let Some(hint) = &error.hint {
            self.say(format!("{} {hint}", paint(BOLD, "hint:")));
        }
    }
}

/// An error as one JSON object.
fn error_json(error: &Error) -> Value {
    json!({
        "error": {"code": error.code, "message": error.message, "hint": error.hint},
        "exit": error.exit as u8,
    })
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Width of the terminal on standard output; `None` when it is not one.
pub fn width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0))
}
