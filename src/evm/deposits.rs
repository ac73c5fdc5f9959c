//! The layout of deposit events (EIP-6110).
//!
//! The deposit contract emits five byte strings of fixed sizes, at fixed offsets. EIP-6110 requires exactly this layout,
//! else the block is invalid. alloy-evm decodes any ABI encoding, so the layout is checked here before.

use super::{BlockExecutionError, BlockValidationError, Receipt};
use alloy_primitives::{Address, B256, Log, U256, b256};

/// First topic of `DepositEvent(bytes,bytes,bytes,bytes,bytes)`.
const DEPOSIT_EVENT: B256 =
    b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");

/// Offset and size of public key, withdrawal credentials, amount, signature and index.
const FIELDS: [(usize, usize); 5] = [(160, 48), (256, 32), (320, 8), (384, 96), (512, 8)];

/// Length of the event's data.
const LENGTH: usize = 576;

/// Size of a word of the ABI.
const WORD: usize = 32;

/// Checks the layout of all deposit events.
///
/// # Errors
/// An event has another layout, so the block is invalid.
pub(super) fn check(contract: Address, receipts: &[Receipt]) -> Result<(), BlockExecutionError> {
    let logs = receipts.iter().flat_map(|receipt| &receipt.logs);
    let mut deposits = logs.filter(|log| is_deposit(contract, log));
    match deposits.find(|log| !has_layout(&log.data.data)) {
        None => Ok(()),
        Some(_) => {
            let message = "the layout is not that of EIP-6110".to_owned();
            Err(BlockValidationError::DepositRequestDecode(message).into())
        }
    }
}

fn is_deposit(contract: Address, log: &Log) -> bool {
    log.address == contract && log.topics().first() == Some(&DEPOSIT_EVENT)
}

fn has_layout(data: &[u8]) -> bool {
    let word = |at: usize| data.get(at..at + WORD).map(U256::from_be_slice);
    let is_field = |(position, (offset, size)): (usize, (usize, usize))| {
        word(position * WORD) == Some(U256::from(offset)) && word(offset) == Some(U256::from(size))
    };
    data.len() == LENGTH && FIELDS.into_iter().enumerate().all(is_field)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: Address = Address::repeat_byte(0xde);

    /// The data of a correct event.
    fn data() -> Vec<u8> {
        let mut data = vec![0x55; LENGTH];
        for (position, (offset, size)) in FIELDS.into_iter().enumerate() {
            for (at, value) in [(position * WORD, offset), (offset, size)] {
                data[at..at + WORD].copy_from_slice(&U256::from(value).to_be_bytes::<WORD>());
            }
        }
        data
    }

    fn checked(address: Address, topic: B256, data: Vec<u8>) -> Result<(), BlockExecutionError> {
        let log = Log::new_unchecked(address, vec![topic], data.into());
        check(CONTRACT, &[Receipt { logs: vec![log], ..Receipt::default() }])
    }

    #[test]
    fn the_layout_of_the_deposit_contract_is_accepted() {
        assert!(checked(CONTRACT, DEPOSIT_EVENT, data()).is_ok());
    }

    #[test]
    fn another_layout_makes_the_block_invalid() {
        let longer = [data(), vec![0; WORD]].concat();
        let shorter = data()[..LENGTH - WORD].to_vec();
        let changed = |at: usize, byte: u8| {
            let mut data = data();
            data[at] = byte;
            data
        };
        // An offset, a size, and a high byte of an offset.
        let wrong =
            [longer, shorter, Vec::new(), changed(31, 161), changed(191, 47), changed(32, 1)];
        for data in wrong {
            assert!(checked(CONTRACT, DEPOSIT_EVENT, data).is_err());
        }
    }

    #[test]
    fn other_contracts_and_events_may_have_any_layout() {
        assert!(checked(Address::ZERO, DEPOSIT_EVENT, Vec::new()).is_ok());
        assert!(checked(CONTRACT, B256::ZERO, Vec::new()).is_ok());
    }
}
