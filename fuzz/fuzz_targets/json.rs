#![no_main]

#[allow(dead_code, reason = "the others have targets of their own")]
#[path = "../../tests/hostile/decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::json(bytes));
