// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Token} from "./Token.sol";

/// Orders that makers sign and takers settle many at a time; and payments to many.
contract Market {
    struct Order {
        address maker;
        Token sells;
        Token buys;
        uint256 sold;
        uint256 bought;
        uint256 salt;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    mapping(bytes32 order => uint256) public settledAt; // slot 0
    mapping(address maker => uint256) public volumeOf; // slot 1
    uint256 public fees; // slot 2

    event Settled(bytes32 indexed order, address indexed maker, address indexed taker);

    error WrongSignature(bytes32 order);
    error SettledAlready(bytes32 order);

    function settle(Order[] calldata orders) external {
        for (uint256 index = 0; index < orders.length; index++) {
            _settle(orders[index]);
        }
    }

    /// Pays `values[i]` of the caller's `token` to `to[i]`: an airdrop, a payroll, an exchange.
    function pay(Token token, address[] calldata to, uint256[] calldata values) external {
        for (uint256 index = 0; index < to.length; index++) {
            token.transferFrom(msg.sender, to[index], values[index]);
        }
    }

    function _settle(Order calldata order) private {
        bytes32 hash = keccak256(
            abi.encode(
                block.chainid,
                address(this),
                order.maker,
                order.sells,
                order.buys,
                order.sold,
                order.bought,
                order.salt
            )
        );
        if (settledAt[hash] != 0) revert SettledAlready(hash);
        if (ecrecover(hash, order.v, order.r, order.s) != order.maker) revert WrongSignature(hash);
        settledAt[hash] = block.timestamp;
        volumeOf[order.maker] += order.sold;
        fees += order.sold / 1000;
        order.sells.transferFrom(order.maker, msg.sender, order.sold);
        order.buys.transferFrom(msg.sender, order.maker, order.bought);
        emit Settled(hash, order.maker, msg.sender);
    }
}
