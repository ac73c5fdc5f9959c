//! Random changes to valid input.

use rand::{RngExt, rngs::StdRng};

/// Bytes that mean something in JSON, in tar and in RLP.
const TELLING: &[u8] = b"\0\x01\x7f\x80\xb8\xc0\xf8\xff\"\\[]{},:-09ef\n";

/// Maximum size of what one change adds.
const MOST_ADDED: usize = 1 << 20;

/// One to four random changes.
pub(crate) fn mutated(bytes: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..5) {
        change(&mut bytes, random);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, random: &mut StdRng) {
    let end = bytes.len();
    let at = random.random_range(0..=end);
    let part = at..end.min(at + random.random_range(1..64));
    match random.random_range(0..9) {
        0 if at < end => bytes[at] ^= 1 << random.random_range(0..8),
        1 if at < end => bytes[at] = telling(random),
        2 => bytes.insert(at, telling(random)),
        3 => drop(bytes.drain(part)),
        4 => bytes.truncate(at),
        5 => {
            let copy = bytes[part].repeat(random.random_range(1..2_000));
            bytes.splice(at..at, copy);
        }
        6 => {
            let opening = if random.random_bool(0.5) { b'[' } else { 0xf8 };
            let depth = random.random_range(1..MOST_ADDED);
            bytes.splice(at..at, std::iter::repeat_n(opening, depth));
        }
        7 => replace_number(bytes, at, random),
        _ => {
            let source = bytes[part].to_vec();
            let to = random.random_range(0..=end - source.len());
            bytes[to..to + source.len()].copy_from_slice(&source);
        }
    }
}

fn telling(random: &mut StdRng) -> u8 {
    TELLING[random.random_range(0..TELLING.len())]
}

/// Numbers at the edges of types.
pub(crate) const NUMBERS: [&str; 8] = [
    "0",
    "-1",
    "255",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "1e999",
    "99999999999999999999999999999999999999999999",
];

/// Replaces the next number behind `at`.
fn replace_number(bytes: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|skip| at + skip) else {
        return;
    };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    bytes.splice(start..start + length, number.bytes());
}
