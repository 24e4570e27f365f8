//! The fields of one resource, each parsed once at most.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::Value;

use crate::record::json::Members;

/// What has been parsed: the name of a field and its value, if it has one.
type Seen = Vec<(&'static str, Option<Rc<Value>>)>;

/// Longest value that is parsed, in bytes (1 MiB): nothing in it would name the resource, and parsed
/// it takes many times its length.
const MAX_LEN: usize = 1 << 20;

/// The members of a resource, with the values that somebody asked for.
pub(super) struct Fields<'m, 'a> {
    members: &'m Members<'a>,
    seen: RefCell<Seen>,
}

impl<'m, 'a> Fields<'m, 'a> {
    pub(super) fn new(members: &'m Members<'a>) -> Self {
        Self {
            members,
            seen: RefCell::new(Vec::new()),
        }
    }

    /// The value of a field.
    pub(super) fn get(&self, key: &'static str) -> Option<Rc<Value>> {
        let text = self.members.get(key).filter(|text| text.len() <= MAX_LEN)?;
        let known = |seen: &Seen| {
            let hit = seen.iter().find(|(name, _)| *name == key);
            hit.map(|(_, value)| value.clone())
        };
        if let Some(value) = known(&self.seen.borrow()) {
            return value;
        }
        let value = serde_json::from_str(text).ok().map(Rc::new);
        self.seen.borrow_mut().push((key, value.clone()));
        value
    }

    /// The contained resource that a Reference, or a CodeableReference, like `#med1` points to.
    pub(super) fn contained(&self, value: &Value) -> Option<Value> {
        let reference = value.get("reference")?;
        let reference = reference.get("reference").unwrap_or(reference);
        let id = reference.as_str()?.strip_prefix('#')?;
        let contained = self.get("contained")?;
        let has_id = |resource: &&Value| resource.get("id").and_then(Value::as_str) == Some(id);
        contained.as_array()?.iter().find(has_id).cloned()
    }
}
