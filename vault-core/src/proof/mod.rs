//! The promises, put to the proof: whole vaults against simple models, outsiders and faults.

mod attacks;
mod crash;
mod faulty;
mod model;
mod promise_one;
mod promise_two;
mod support;
