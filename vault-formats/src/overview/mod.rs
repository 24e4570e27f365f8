//! Records rendered for people: one record, or one page about all of them.
//!
//! [`show`] renders one record as labelled lines and small tables, [`Summary`] makes one page of
//! many. Nothing here shows raw JSON, and every text is cleaned of what could move a terminal or a
//! page.

mod about;
mod dosage;
mod facts;
mod generic;
mod isolate;
mod narrative;
mod page;
mod rank;
mod read;
mod reference;
mod show;
mod show_care;
mod show_medication;
mod show_other;
mod show_person;
mod shown;
mod statements;
mod summary;
mod summary_builder;
mod summary_html;
mod summary_parts;
mod summary_text;
mod text;
mod trend;
mod values;

pub(crate) use about::About;
pub(crate) use dosage::dosage;
pub(crate) use facts::{
    Absence, absence, denied, has_other_focus, is_active_allergy, is_active_problem,
    is_current_medication, is_not_confirmed, is_not_done, is_past, is_wrong, medication_end,
    reactions,
};
pub(crate) use page::spaced;
pub(crate) use rank::{Rank, not_final, sampled};
pub(crate) use read::{any, choice, code_key, concept, has_code, items, string, title};
pub(crate) use reference::{UNCERTAIN, drug, names, target};
pub(crate) use show::flagged;
pub(crate) use statements::{Known, Standing, Statements};
pub(crate) use text::{clean_line, escape};

pub use show::show;
pub use shown::{Line, Shown};
pub use summary::Summary;
pub use summary_builder::SummaryBuilder;
pub use summary_parts::{Entry, Who};
pub use text::clean_lines;
pub use trend::{Direction, Point, Trend};
