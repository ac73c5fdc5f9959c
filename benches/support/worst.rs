//! Blocks near the limits of Amsterdam: full of one kind of access.

use super::{
    assembler::assemble,
    scene::{Call, Scene, address},
    traffic::{Kind, SWAP_LIMIT, Traffic},
};
use alloy_eips::{
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip8282::{
        BUILDER_DEPOSIT_CONTRACT_ADDRESS, BUILDER_DEPOSIT_CONTRACT_CODE,
        BUILDER_EXIT_CONTRACT_ADDRESS, BUILDER_EXIT_CONTRACT_CODE,
    },
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, Bytes, U256, keccak256};
use blockrace::block::{ReplayJob, derive_access_list};

/// Gas of a payment to an account that exists: 12,000 for the sender, 6,000 for the value (EIP-2780), 3,000 for the
/// recipient (EIP-8038).
const PAYMENT: u64 = 21_000;

fn swaps(gas_limit: u64, traffic: Traffic) -> Scene {
    Kind::Swap.scene((gas_limit / SWAP_LIMIT) as usize, traffic)
}

fn inputs(scene: &mut Scene, transactions: u64) {
    for index in 0..transactions as usize {
        let [from, to] = ["sender", "recipient"].map(|role| address(role, index));
        scene.fund(from);
        scene.fund(to);
        let input = vec![0xff; INPUT].into();
        scene.send(from, Call { to, value: 1, input, gas_limit: INPUT_GAS });
    }
}

/// Gas limit of a transaction with accesses.
const LIMIT: u64 = 2_000_000;

/// Gas of a transaction without its accesses.
const BASE: u64 = 25_000;

/// The first account of [`Load::Accounts`].
const FIRST_ACCOUNT: u64 = 1 << 40;

/// Bytes of an input of [`Load::Inputs`].
const INPUT: usize = 127 << 10;

/// Gas of a transaction with such an input: 64 for each byte (EIP-7976), and those of a payment.
const INPUT_GAS: u64 = PAYMENT + 64 * INPUT as u64;

/// What a block is full of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Load {
    /// Payments among distinct accounts.
    Payments,
    /// Payments to one account.
    OneRecipient,
    /// Payments from one account.
    OneSender,
    /// First reads of slots. The access list has nearly the greatest size that EIP-7928 allows.
    ColdSlots,
    /// First reads of accounts.
    Accounts,
    /// Changes of existing slots, of distinct ones.
    Writes,
    /// Changes of slots that every transaction changes.
    HotWrites,
    /// New slots, which cost state gas (EIP-8037).
    NewSlots,
    /// Sales through a router, each at a pool of its own.
    Swaps,
    /// Sales at four pools and at others.
    HotSwaps,
    /// Inputs of 127 KiB. With 540 Mgas the block has 8 MiB, nearly the most that EIP-7934 allows.
    Inputs,
}

impl Load {
    pub(crate) const ALL: [Self; 11] = [
        Self::Payments,
        Self::OneRecipient,
        Self::OneSender,
        Self::ColdSlots,
        Self::Accounts,
        Self::Writes,
        Self::HotWrites,
        Self::NewSlots,
        Self::Swaps,
        Self::HotSwaps,
        Self::Inputs,
    ];

    /// Gas limits of the blocks. Calldata is too expensive for a block of 8 MiB with less gas (EIP-7976).
    pub(crate) const fn gas_limits(self) -> &'static [u64] {
        match self {
            Self::Inputs => &[300_000_000, 540_000_000],
            _ => &[200_000_000, 300_000_000],
        }
    }

    /// A block of this gas limit with its own access list, ready to execute.
    pub(crate) fn block(self, gas_limit: u64) -> ReplayJob {
        let mut job = self.block_of(EthereumHardfork::Amsterdam, gas_limit);
        let list = derive_access_list(&job).expect("the block is valid").into_canonical();
        let list = alloy_rlp::encode(list);
        job.header.block_access_list_hash = Some(keccak256(&list));
        job.take_access_list(&list).expect("the list is the block's");
        job
    }

    /// The same transactions under the rules of this fork, without a list.
    pub(crate) fn block_of(self, fork: EthereumHardfork, gas_limit: u64) -> ReplayJob {
        let mut scene = self.scene(gas_limit);
        for (address, code) in [
            (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
            (BUILDER_DEPOSIT_CONTRACT_ADDRESS, &BUILDER_DEPOSIT_CONTRACT_CODE),
            (BUILDER_EXIT_CONTRACT_ADDRESS, &BUILDER_EXIT_CONTRACT_CODE),
        ] {
            scene.deploy(address, code.clone());
        }
        scene.job_of(fork, gas_limit)
    }

    fn scene(self, gas_limit: u64) -> Scene {
        let mut scene = Scene::default();
        match self {
            Self::Payments | Self::OneRecipient | Self::OneSender => {
                self.pay(&mut scene, (gas_limit / PAYMENT) as usize);
            }
            Self::Swaps => scene = swaps(gas_limit, Traffic::Independent),
            Self::HotSwaps => scene = swaps(gas_limit, Traffic::Hot),
            Self::Inputs => inputs(&mut scene, gas_limit / INPUT_GAS),
            _ => self.access(&mut scene, gas_limit / LIMIT),
        }
        scene
    }

    fn pay(self, scene: &mut Scene, payments: usize) {
        for index in 0..payments {
            let one = |hot: bool| if hot { 0 } else { index };
            let from = address("sender", one(matches!(self, Self::OneSender)));
            let to = address("recipient", one(matches!(self, Self::OneRecipient)));
            scene.fund(from);
            scene.fund(to);
            scene.send(from, Call { to, value: 1, input: Bytes::new(), gas_limit: PAYMENT });
        }
    }

    fn access(self, scene: &mut Scene, transactions: u64) {
        let contract = address("contract", 0);
        scene.deploy(contract, self.code());
        let each = (LIMIT - BASE) / self.gas();
        for transaction in 0..transactions {
            let from = address("sender", transaction as usize);
            scene.fund(from);
            let first = match self {
                Self::HotWrites => 0,
                Self::Accounts => FIRST_ACCOUNT + transaction * each,
                _ => transaction * each,
            };
            for number in first..first + each {
                self.prepare(scene, contract, number);
            }
            let range = [first, first + each].map(|number| U256::from(number).to_be_bytes::<32>());
            let input = range.concat().into();
            scene.send(from, Call { to: contract, value: 0, input, gas_limit: LIMIT });
        }
    }

    /// Sets an accessed slot, or funds an accessed account.
    fn prepare(self, scene: &mut Scene, contract: Address, number: u64) {
        match self {
            Self::Accounts => scene.fund(Address::from_word(U256::from(number).into())),
            Self::NewSlots => {}
            _ => scene.set(contract, U256::from(number), U256::MAX),
        }
    }

    /// An upper limit of the gas of one access, with the loop around it.
    const fn gas(self) -> u64 {
        match self {
            Self::Accounts => 3_060,
            Self::Writes | Self::HotWrites => 12_180,
            Self::NewSlots => 110_100,
            _ => 2_160,
        }
    }

    /// A contract that accesses the numbers from one word of its input up to the other.
    fn code(self) -> Bytes {
        let access = match self {
            Self::Accounts => "DUP2 BALANCE POP",
            // The value changes with each transaction, also if the slots do not.
            Self::Writes | Self::HotWrites | Self::NewSlots => "CALLER DUP3 SSTORE",
            _ => "DUP2 SLOAD POP",
        };
        let source = format!(
            "0 CALLDATALOAD 32 CALLDATALOAD loop: {access} SWAP1 1 ADD SWAP1 \
             DUP1 DUP3 LT @loop JUMPI STOP"
        );
        assemble(&source, &[])
    }
}
