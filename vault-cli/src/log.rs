//! What a node that serves writes down, one line an event, on standard error.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::Value;
use vault_app::log::{Event, Field, Level};
use vault_app::{Log, time};

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Time, level, event and what belongs to it, for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// Something failed that needs somebody.
    Error,
    /// Something failed and is tried again.
    Warn,
    /// What an operator wants to see.
    #[default]
    Info,
    /// Everything.
    Debug,
}

impl From<LevelArg> for Level {
    fn from(arg: LevelArg) -> Self {
        match arg {
            LevelArg::Error => Self::Error,
            LevelArg::Warn => Self::Warn,
            LevelArg::Info => Self::Info,
            LevelArg::Debug => Self::Debug,
        }
    }
}

/// A log that leaves out what matters less than `level`.
pub fn to_stderr(format: Format, level: Level) -> Log {
    Log::new(Arc::new(move |event: Event| {
        if event.level() <= level {
            let line = line(event, format, time::now());
            // nobody may be reading; that is no reason to stop serving
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }))
}

fn line(event: Event, format: Format, now: u64) -> String {
    let (level, name, fields) = (event.level(), event.name(), event.fields());
    match format {
        Format::Text => {
            let mut line = format!("{} {:<5} {name}", time::rfc3339(now), level.name());
            for (key, field) in fields {
                // writing to a string does not fail
                let _ = match field {
                    Field::Number(number) => write!(line, " {key}={number}"),
                    Field::Time(at) => write!(line, " {key}={}", time::rfc3339(at)),
                    Field::Word(word) => write!(line, " {key}={word}"),
                };
            }
            line
        }
        Format::Json => {
            let field = |key: &str, value: Value| format!("{}:{value}", Value::from(key));
            let mut all = vec![
                field("time", time::rfc3339(now).into()),
                field("level", level.name().into()),
                field("event", name.into()),
            ];
            all.extend(fields.into_iter().map(|(key, value)| match value {
                Field::Number(number) => field(key, number.into()),
                Field::Time(at) => field(key, time::rfc3339(at).into()),
                Field::Word(word) => field(key, word.into()),
            }));
            format!("{{{}}}", all.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Event = Event::PublishFailed {
        by: "ipns",
        head: 7,
        error: "offline",
        again: 90,
    };

    #[test]
    fn a_line_for_people_and_one_for_programs() {
        insta::assert_snapshot!(line(EVENT, Format::Text, 60), @"1970-01-01T00:01:00Z warn  publish-failed by=ipns head=7 error=offline again=1970-01-01T00:01:30Z");
        insta::assert_snapshot!(line(EVENT, Format::Json, 60), @r#"{"time":"1970-01-01T00:01:00Z","level":"warn","event":"publish-failed","by":"ipns","head":7,"error":"offline","again":"1970-01-01T00:01:30Z"}"#);
    }
}
