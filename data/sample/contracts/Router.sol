// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Pool} from "./Pool.sol";
import {Token} from "./Token.sol";

/// Swaps through one pool after the other.
contract Router {
    error TooLate();
    error TooLittle(uint256 got, uint256 wanted);

    function swap(Token token, uint256 paid, uint256 wanted, Pool[] calldata path, uint256 deadline)
        external
        returns (uint256 got)
    {
        if (block.timestamp > deadline) revert TooLate();
        token.transferFrom(msg.sender, address(path[0]), paid);
        for (uint256 hop = 0; hop < path.length; hop++) {
            bool last = hop + 1 == path.length;
            Pool pool = path[hop];
            got = pool.swap(token, last ? msg.sender : address(path[hop + 1]));
            token = token == pool.token0() ? pool.token1() : pool.token0();
        }
        if (got < wanted) revert TooLittle(got, wanted);
    }
}
