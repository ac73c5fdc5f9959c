//! A small assembler for readable contracts.
//!
//! Words are separated by white space, and `;` begins a comment:
//!
//! ```text
//! SLOAD                      the instruction of that name
//! 42, 0x2a, $name            push a number, or a constant from outside
//! #f(uint256), ##E(uint256)  push a function's selector, or an event's topic
//! here:, @here               define a jump destination, and push it
//! !here                      call: push the position after this word, and jump
//! =x, .x                     store the top of the stack in a variable, and push a variable
//! ```
//!
//! Variables begin at [`VARIABLES`], above the memory that a contract uses to hash, call and log.

use alloy_primitives::{Bytes, U256, keccak256, map::HashMap};
use revm::bytecode::opcode::{JUMP, JUMPDEST, MLOAD, MSTORE, OPCODE_INFO, PUSH0, PUSH2};

/// Offset of the variables in memory.
const VARIABLES: usize = 0x100;

/// The code that is assembled so far.
#[derive(Default)]
struct Assembly<'a> {
    code: Vec<u8>,
    places: HashMap<&'a str, usize>,
    /// Positions in the code that need the address of a destination, with its name.
    holes: Vec<(usize, &'a str)>,
    variables: Vec<&'a str>,
}

/// Assembles a contract. Panics if the source is wrong.
pub(crate) fn assemble(source: &str, constants: &[(&str, U256)]) -> Bytes {
    let mut assembly = Assembly::default();
    let lines = source.lines().filter_map(|line| line.split(';').next());
    for word in lines.flat_map(str::split_whitespace) {
        assembly.word(word, constants);
    }
    assembly.finish()
}

impl<'a> Assembly<'a> {
    fn word(&mut self, word: &'a str, constants: &[(&str, U256)]) {
        if let Some(place) = word.strip_suffix(':') {
            self.place(place);
        } else if let Some(event) = word.strip_prefix("##") {
            self.push(keccak256(event).into());
        } else if let Some(function) = word.strip_prefix('#') {
            self.push(selector(function));
        } else if let Some(place) = word.strip_prefix('@') {
            self.push_place(place);
        } else if let Some(place) = word.strip_prefix('!') {
            self.call(place);
        } else if let Some(name) = word.strip_prefix('=') {
            self.variable(name, MSTORE);
        } else if let Some(name) = word.strip_prefix('.') {
            self.variable(name, MLOAD);
        } else if let Some(name) = word.strip_prefix('$') {
            let constant = constants.iter().find(|(constant, _)| *constant == name);
            self.push(constant.unwrap_or_else(|| panic!("no constant {name}")).1);
        } else if word.starts_with(|first: char| first.is_ascii_digit()) {
            self.push(word.parse().unwrap_or_else(|error| panic!("{word}: {error}")));
        } else {
            self.code.push(instruction(word));
        }
    }

    fn place(&mut self, name: &'a str) {
        assert!(self.places.insert(name, self.code.len()).is_none(), "{name} is defined twice");
        self.code.push(JUMPDEST);
    }

    /// Pushes a value in as few bytes as it needs.
    fn push(&mut self, value: U256) {
        let bytes = value.to_be_bytes_trimmed_vec();
        self.code.push(PUSH0 + bytes.len() as u8);
        self.code.extend(bytes);
    }

    fn push_place(&mut self, name: &'a str) {
        self.code.push(PUSH2);
        self.holes.push((self.code.len(), name));
        self.code.extend([0, 0]);
    }

    fn call(&mut self, name: &'a str) {
        // The return position follows two pushes of three bytes each, and the jump.
        let back = self.code.len() + 7;
        self.code.push(PUSH2);
        self.code.extend(address(back));
        self.push_place(name);
        self.code.extend([JUMP, JUMPDEST]);
    }

    fn variable(&mut self, name: &'a str, instruction: u8) {
        let known = self.variables.iter().position(|variable| *variable == name);
        let index = known.unwrap_or_else(|| {
            self.variables.push(name);
            self.variables.len() - 1
        });
        self.push(U256::from(VARIABLES + 32 * index));
        self.code.push(instruction);
    }

    fn finish(mut self) -> Bytes {
        for (hole, name) in self.holes {
            let place = self.places.get(name).unwrap_or_else(|| panic!("no destination {name}"));
            self.code[hole..hole + 2].copy_from_slice(&address(*place));
        }
        self.code.into()
    }
}

/// The first four bytes of a signature's hash.
pub(crate) fn selector(function: &str) -> U256 {
    U256::from_be_slice(&keccak256(function)[..4])
}

fn address(place: usize) -> [u8; 2] {
    u16::try_from(place).expect("contracts are shorter than 64 KiB").to_be_bytes()
}

fn instruction(name: &str) -> u8 {
    let named = |known: &Option<_>| {
        known.is_some_and(|known: revm::bytecode::opcode::OpCodeInfo| known.name() == name)
    };
    let code = OPCODE_INFO.iter().position(named);
    code.unwrap_or_else(|| panic!("no instruction {name}")) as u8
}
