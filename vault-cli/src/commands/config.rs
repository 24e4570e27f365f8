//! `medvault config`: the settings of this home.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vault_app::config::{self, File, Form, KEYS, Key};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::table::Table;

/// Show and change the settings of this home
#[derive(Subcommand)]
pub enum Config {
    List(List),
    Get(Get),
    Set(Set),
    Unset(Unset),
}

/// List every setting, what it does, and its value
#[derive(Args)]
pub struct List {}

/// Print the value of a setting, one a line
#[derive(Args)]
pub struct Get {
    /// The setting, such as ipfs.gateways
    #[arg(value_name = "NAME")]
    name: String,
}

/// Change a setting
#[derive(Args)]
pub struct Set {
    /// The setting, such as ipfs.gateways
    #[arg(value_name = "NAME")]
    name: String,

    /// Its value, or several for a list
    #[arg(value_name = "VALUE", required = true, num_args = 1..)]
    values: Vec<String>,
}

/// Forget a setting
#[derive(Args)]
pub struct Unset {
    /// The setting, such as ipfs.gateways
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs the command.
pub fn run(context: &Context, command: Config) -> Result<Exit> {
    match command {
        Config::List(_) => list(context),
        Config::Get(args) => get(context, &args),
        Config::Set(args) => set(context, &args),
        Config::Unset(args) => unset(context, &args),
    }
}

fn list(context: &Context) -> Result<Exit> {
    let file = File::read(&context.home()?)?;
    file.config()?;
    if context.out.json {
        let line = |key: &Key| json!({"name": key.name, "value": value(&file, key)});
        context.out.json_lines(KEYS.iter().map(line))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["setting", "value", "what it does"]);
    for key in KEYS {
        let values = file
            .values(key)
            .map_or_else(|| "-".to_owned(), |all| all.join(" "));
        table.row(vec![
            (key.name.to_owned(), None),
            (values, None),
            (key.about.to_owned(), None),
        ]);
    }
    context.out.print(&table.render())?;
    Ok(Exit::Ok)
}

fn get(context: &Context, args: &Get) -> Result<Exit> {
    let key = config::find(&args.name)?;
    let file = File::read(&context.home()?)?;
    if context.out.json {
        context.out.json(&value(&file, key))?;
        return Ok(Exit::Ok);
    }
    let values = file.values(key).ok_or_else(|| {
        Error::new(
            Exit::NotFound,
            "not-set",
            format!("{} is not set", key.name),
        )
        .hint(format!("`medvault config set {} VALUE` sets it", key.name))
    })?;
    let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
    context.out.print(&lines)?;
    Ok(Exit::Ok)
}

fn set(context: &Context, args: &Set) -> Result<Exit> {
    let key = config::find(&args.name)?;
    let home = context.home()?;
    let _lock = home.lock()?;
    let mut file = File::read(&home)?;
    file.set(key, &args.values)?;
    file.write(&home)?;
    context.out.note(format!("{} is set", key.name));
    Ok(Exit::Ok)
}

fn unset(context: &Context, args: &Unset) -> Result<Exit> {
    let key = config::find(&args.name)?;
    let home = context.home()?;
    let _lock = home.lock()?;
    let mut file = File::read(&home)?;
    match file.unset(key) {
        true => {
            file.write(&home)?;
            context.out.note(format!("{} is forgotten", key.name));
        }
        false => context.out.note(format!("{} was not set", key.name)),
    }
    Ok(Exit::Ok)
}

fn value(file: &File, key: &Key) -> Value {
    let values = file.values(key);
    match key.form {
        Form::List => json!(values.unwrap_or_default()),
        Form::Text => json!(values.map(|mut all| all.remove(0))),
        Form::Flag => json!(values.is_some_and(|all| all[0] == "true")),
    }
}
