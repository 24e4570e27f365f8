//! `medvault scope`: the scopes that have names, and the codes that are sensitive.

use clap::Subcommand;
use serde_json::json;
use vault_core::record::{Sensitivity, SensitivityRule};
use vault_core::{Label, Preset, Scope};

use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BOLD, paint};
use crate::table::Table;
use crate::time;

/// Explain the scopes that have names, and which codes are sensitive
#[derive(Subcommand)]
pub enum ScopeCommand {
    /// List the scopes that `medvault share --scope NAME` takes
    List,
    /// List the codes that make a record sensitive when it is added
    ///
    /// A record with a sensitive label stays out of every grant that does not name the label or the
    /// record. The list is a net with holes: look through what you share with `--dry-run`, and put
    /// labels of your own on records with `medvault record label`. More codes can be added in the
    /// setting import.sensitive.
    Sensitive,
}

/// Runs the command.
pub fn run(context: &Context, command: &ScopeCommand) -> Result<Exit> {
    match command {
        ScopeCommand::List => list(context),
        ScopeCommand::Sensitive => sensitive(context),
    }
}

fn list(context: &Context) -> Result<Exit> {
    let today = time::today()?;
    if context.out.json {
        let presets = Preset::ALL.iter().map(|preset| {
            json!({
                "name": preset.name(),
                "explanation": preset.explanation(),
                "scope": preset.scope(&today),
            })
        });
        context.out.json_lines(presets)?;
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    for preset in Preset::ALL {
        text.push_str(&format!("{}\n", paint(BOLD, preset.name())));
        text.push_str(&format!("  {}\n", preset.explanation()));
        text.push_str(&format!("  {}\n\n", conditions(&preset.scope(&today))));
    }
    context.out.print(text.trim_end_matches('\n'))?;
    context.out.print("\n")?;
    context
        .out
        .note("`medvault share --with NAME --scope SCOPE --dry-run` shows what one would open.");
    Ok(Exit::Ok)
}

/// The conditions of a scope as the options of `share` would say them.
fn conditions(scope: &Scope) -> String {
    let mut words = Vec::new();
    if scope.all {
        words.push("--all".to_owned());
    }
    let categories = scope.categories.iter();
    words.extend(categories.map(|category| format!("--category {category}")));
    words.extend(scope.kinds.iter().map(|kind| format!("--kind {kind}")));
    words.extend(scope.codes.iter().map(|code| format!("--code '{code}'")));
    words.extend(
        scope
            .since
            .iter()
            .map(|since| format!("--since {}", since.as_str())),
    );
    let with = scope.with_labels.iter();
    words.extend(with.map(|label| format!("--with-label {label}")));
    words.join(" ")
}

fn sensitive(context: &Context) -> Result<Exit> {
    let mut sensitivity = Sensitivity::standard();
    if let Ok(home) = context.home() {
        let own = context.config(&home)?.import.sensitive;
        sensitivity = sensitivity.with(own.into_iter().map(|rule| rule.0));
    }
    if context.out.json {
        let rules = sensitivity.rules().map(|rule| {
            json!({
                "rule": rule.to_string(),
                "label": rule.label().as_str(),
                "explanation": rule.explanation(),
            })
        });
        context.out.json_lines(rules)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["label", "meaning", "code", "why"]);
    for rule in sensitivity.rules() {
        let label: &Label = rule.label();
        table.row(vec![
            (label.to_string(), None),
            (label.meaning().unwrap_or("-").to_owned(), None),
            (codes(rule), None),
            (rule.explanation().to_owned(), None),
        ]);
    }
    context.out.print(&table.render())?;
    Ok(Exit::Ok)
}

/// The codes of a rule, without its label.
fn codes(rule: &SensitivityRule) -> String {
    let text = rule.to_string();
    let codes = text.rsplit_once(" = ").map(|(codes, _)| codes.to_owned());
    codes.unwrap_or(text)
}
