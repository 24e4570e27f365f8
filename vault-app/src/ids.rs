//! Ids as people type and read them: any unique prefix.

use std::fmt::Display;
use std::str::FromStr;

use crate::error::{Error, Exit, Result};

/// Shortest prefix that is shown.
const SHORTEST: usize = 8;

/// All ids of one kind, to shorten and to find them by.
pub struct Ids(Vec<String>);

impl Ids {
    /// Takes all ids there are.
    pub fn new(ids: impl IntoIterator<Item = impl Display>) -> Self {
        let mut list: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        list.sort_unstable();
        list.dedup();
        Self(list)
    }

    /// The shortest prefix of at least eight characters that only this id has.
    pub fn short(&self, id: impl Display) -> String {
        let id = id.to_string();
        let at = self.0.partition_point(|other| *other < id);
        let before = at.checked_sub(1).and_then(|i| self.0.get(i));
        let after = self.0[at..].iter().find(|other| **other != id);
        let shared = [before, after]
            .into_iter()
            .flatten()
            .map(|other| common(other, &id))
            .max()
            .unwrap_or(0);
        id.chars().take((shared + 1).max(SHORTEST)).collect()
    }

    /// The id that begins with `text`. `kind` names what is looked for, for the error.
    pub fn find<T: FromStr>(&self, text: &str, kind: &str, list: &str) -> Result<T> {
        let wanted = text.to_lowercase();
        let start = self.0.partition_point(|id| **id < *wanted);
        let mut fitting = self.0[start..]
            .iter()
            .take_while(|id| id.starts_with(&wanted));
        let hint = format!("`medvault {list}` shows all of them");
        let not_found = || {
            Error::new(Exit::NotFound, "not-found", format!("no {kind} `{text}`"))
                .hint(hint.clone())
        };
        if wanted.is_empty() {
            return Err(not_found());
        }
        let first = fitting.next().ok_or_else(not_found)?;
        let more = fitting.count();
        if more > 0 {
            let what = format!("`{text}` fits {} {kind}s", more + 1);
            return Err(Error::new(Exit::NotFound, "ambiguous", what)
                .hint("give more characters of the id"));
        }
        first.parse().map_err(|_| not_found())
    }
}

fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_as_far_as_they_stay_unique() {
        let ids = Ids::new(["aaaaaaaaaab", "aaaaaaaaaac", "bbbbbbbbbbb"]);
        assert_eq!(ids.short("aaaaaaaaaac"), "aaaaaaaaaac");
        assert_eq!(ids.short("bbbbbbbbbbb"), "bbbbbbbb");
        let find = |text: &str| ids.find::<String>(text, "record", "record list");
        assert_eq!(find("B").unwrap(), "bbbbbbbbbbb");
        assert_eq!(find("aaa").unwrap_err().code, "ambiguous");
        assert_eq!(find("c").unwrap_err().code, "not-found");
        assert_eq!(find("").unwrap_err().code, "not-found");
    }
}
