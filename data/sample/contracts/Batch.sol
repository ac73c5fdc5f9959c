// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// What accounts delegate to (EIP-7702): several calls in one transaction. A sponsor may send it for
/// the owner, who signs the calls.
contract Batch {
    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    /// The one slot of it that an account holds, far from those that Solidity gives out.
    bytes32 private constant USED = keccak256("blockrace.sample.batch");

    error NotTheOwner();
    error CallFailed(uint256 index);

    receive() external payable {}

    function execute(Call[] calldata calls) external payable {
        if (msg.sender != address(this)) revert NotTheOwner();
        _execute(calls);
    }

    function executeSigned(Call[] calldata calls, uint8 v, bytes32 r, bytes32 s) external payable {
        bytes32 hash = keccak256(abi.encode(block.chainid, address(this), used(), calls));
        if (ecrecover(hash, v, r, s) != address(this)) revert NotTheOwner();
        bytes32 slot = USED;
        assembly {
            sstore(slot, add(sload(slot), 1))
        }
        _execute(calls);
    }

    /// How many signed batches this account has executed.
    function used() public view returns (uint256 count) {
        bytes32 slot = USED;
        assembly {
            count := sload(slot)
        }
    }

    function _execute(Call[] calldata calls) private {
        for (uint256 index = 0; index < calls.length; index++) {
            Call calldata call = calls[index];
            (bool done,) = call.to.call{value: call.value}(call.data);
            if (!done) revert CallFailed(index);
        }
    }
}
