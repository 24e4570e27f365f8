#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vault_formats::fuzzing::run("consent", bytes));
