//! Permits that become one agreement.

use vault_core::{Label, Scope};

use super::read::Notes;
use super::rule::Rule;
use super::selection::Selection;

/// Joins permits into one scope. An agreement has one set of readers, dates and limits, so permits
/// that differ from the first in more than what they select are left out.
pub(super) fn merge(permits: Vec<Rule>, notes: &mut Notes) -> Option<(Rule, Scope)> {
    let by_id = |rule: &Rule| rule.selection.as_ref().is_some_and(Selection::is_by_id);
    let mut all = permits.into_iter();
    let mut first = all.next()?;
    let mut scope = Scope::default();
    add(&mut scope, first.selection.take());
    // labels do not matter to what is named by its id
    let mut labels_count = !scope.is_empty() && !only_records(&scope) || first.labels.is_some();
    for mut rule in all {
        let named = by_id(&rule) && rule.labels.is_none();
        let selection = rule.selection.take();
        if named {
            rule.labels.clone_from(&first.labels);
        } else if !labels_count {
            first.labels.clone_from(&rule.labels);
            labels_count = true;
        }
        // no mark at all opens nothing sensitive
        let open = |rule: &Rule| rule.labels.clone().unwrap_or_default();
        let (a, b) = (open(&first), open(&rule));
        rule.labels.clone_from(&first.labels);
        if a == b && rule == first {
            add(&mut scope, selection);
        } else {
            notes.warn("left out: a permission with other bounds than the first; it needs a grant of its own");
        }
    }
    scope.since.clone_from(&first.since);
    scope.until.clone_from(&first.until);
    scope.with_labels = first.labels.clone().unwrap_or_default();
    scope.without_labels.clone_from(&first.without);
    let label = |code| Label::new(code).ok();
    if let (Some(restricted), Some(very)) = (label("R"), label("V"))
        && !first.exact
        && scope.without_labels.contains(&restricted)
    {
        // as levels: what closes the lower one closes the higher one
        scope.with_labels.remove(&very);
    }
    Some((first, scope))
}

fn only_records(scope: &Scope) -> bool {
    !scope.all && scope.kinds.is_empty() && scope.categories.is_empty() && scope.codes.is_empty()
}

/// `None` selects everything.
fn add(scope: &mut Scope, selection: Option<Selection>) {
    match selection {
        None => scope.all = true,
        Some(mut selection) => {
            scope.kinds.append(&mut selection.kinds);
            scope.categories.append(&mut selection.categories);
            scope.codes.append(&mut selection.codes);
            scope.records.append(&mut selection.records);
        }
    }
}
