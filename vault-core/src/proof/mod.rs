//! The promises, put to the proof: whole vaults against simple models, outsiders and faults.

mod agent_desk;
mod agent_reports;
mod agents;
mod at_once;
mod attacks;
mod conversation;
mod crash;
mod faulty;
mod grid;
mod kept;
mod model;
mod on_request;
mod practice;
mod promise_one;
mod promise_two;
mod release_faults;
mod release_order;
mod replay;
mod support;
mod ward;
