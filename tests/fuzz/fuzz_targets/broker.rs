#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lobby_fuzz::targets::broker(bytes));
