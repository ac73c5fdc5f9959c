// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Token} from "./Token.sol";

/// A wallet of one owner, at an address that is known before it exists.
contract Wallet {
    address public owner;
    uint256 public opened;

    error NotTheOwner();

    constructor(address owner_) payable {
        owner = owner_;
        opened = block.timestamp;
    }

    receive() external payable {}

    function send(address payable to, uint256 value) external {
        if (msg.sender != owner) revert NotTheOwner();
        (bool sent,) = to.call{value: value}("");
        require(sent);
    }
}

/// Takes the tokens that were sent to its address while it is made, and has no code afterwards. One
/// unit stays, so that the slot does.
contract Collector {
    constructor(Token token, address to) {
        token.transfer(to, token.balanceOf(address(this)) - 1);
        assembly {
            return(0, 0)
        }
    }
}

/// Creates both by CREATE2 (EIP-1014).
contract Wallets {
    mapping(address owner => address[]) public walletsOf;

    event Opened(address indexed owner, address wallet);

    function open(uint256 salt) external payable {
        Wallet wallet = new Wallet{salt: bytes32(salt), value: msg.value}(msg.sender);
        walletsOf[msg.sender].push(address(wallet));
        emit Opened(msg.sender, address(wallet));
    }

    /// Fetches `value` of the caller's `token` by way of the deposit address for `salt`.
    function collect(Token token, uint256 value, uint256 salt) external {
        bytes memory creation =
            abi.encodePacked(type(Collector).creationCode, abi.encode(token, msg.sender));
        bytes32 hash = keccak256(
            abi.encodePacked(hex"ff", address(this), bytes32(salt), keccak256(creation))
        );
        token.transferFrom(msg.sender, address(uint160(uint256(hash))), value);
        new Collector{salt: bytes32(salt)}(token, msg.sender);
    }
}
