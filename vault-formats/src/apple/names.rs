//! Texts that come again and again, each kept once.

use std::collections::HashMap;

/// Longest text that is kept, in bytes.
const MAX_NAME: usize = 128;

/// Texts by number. Id 0 stands for whatever is not kept.
#[derive(Debug)]
pub(super) struct Names {
    ids: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
    most: usize,
}

impl Names {
    /// None yet, and at most `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            ids: HashMap::new(),
            texts: vec!["".into()],
            most,
        }
    }

    /// The id of a text; 0 when it is empty, too long or one too many.
    pub(super) fn id(&mut self, text: &str) -> u32 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        if text.is_empty() || text.len() > MAX_NAME || self.texts.len() > self.most {
            return 0;
        }
        let Ok(id) = u32::try_from(self.texts.len()) else {
            return 0;
        };
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// The id of a text that was met before.
    pub(super) fn known(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    /// The text of an id.
    pub(super) fn text(&self, id: u32) -> &str {
        let text = usize::try_from(id).ok().and_then(|at| self.texts.get(at));
        text.map_or("", |text| text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_one_number_and_a_limit() {
        let mut names = Names::new(2);
        let (phone, watch) = (names.id("Phone"), names.id("Watch"));
        assert_eq!((phone, watch), (1, 2));
        assert_eq!(names.id("Phone"), phone);
        assert_eq!(names.known("Watch"), Some(watch));
        assert_eq!(names.text(watch), "Watch");
        // one too many, and none at all
        assert_eq!((names.id("Scale"), names.id("")), (0, 0));
        assert_eq!(
            (names.known("Scale"), names.text(0), names.text(9)),
            (None, "", "")
        );
        let mut names = Names::new(2);
        assert_eq!(names.id(&"x".repeat(MAX_NAME + 1)), 0);
        assert_eq!(names.id(&"x".repeat(MAX_NAME)), 1);
    }
}
