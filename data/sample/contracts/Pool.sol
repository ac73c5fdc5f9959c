// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Token} from "./Token.sol";

/// A constant-product pool of two tokens with a fee of 0.3 %. Genesis writes its storage.
contract Pool {
    Token public token0; // slot 0
    Token public token1; // slot 1
    uint112 public reserve0; // slot 2, with the next two
    uint112 public reserve1;
    uint32 public updated;
    uint256 public price0Cumulative; // slot 3
    uint256 public price1Cumulative; // slot 4

    event Swap(address indexed sender, address indexed to, bool zeroForOne, uint256 paid, uint256 got);

    error NothingPaid();
    error WrongToken();

    /// Sells what was sent here of `token` since the last call; the proceeds go to `to`.
    function swap(Token token, address to) external returns (uint256 got) {
        bool zeroForOne = token == token0;
        if (!zeroForOne && token != token1) revert WrongToken();
        (uint256 reserveIn, uint256 reserveOut) =
            zeroForOne ? (reserve0, reserve1) : (reserve1, reserve0);
        uint256 paid = token.balanceOf(address(this)) - reserveIn;
        if (paid == 0) revert NothingPaid();
        got = paid * 997 * reserveOut / (reserveIn * 1000 + paid * 997);
        (zeroForOne ? token1 : token0).transfer(to, got);
        _observe();
        (uint256 newIn, uint256 newOut) = (reserveIn + paid, reserveOut - got);
        (reserve0, reserve1, updated) = zeroForOne
            ? (uint112(newIn), uint112(newOut), uint32(block.timestamp))
            : (uint112(newOut), uint112(newIn), uint32(block.timestamp));
        emit Swap(msg.sender, to, zeroForOne, paid, got);
    }

    /// Once a block, adds to the time-weighted prices.
    function _observe() private {
        uint256 elapsed = block.timestamp - updated;
        if (elapsed == 0) return;
        price0Cumulative += (uint256(reserve1) << 112) / reserve0 * elapsed;
        price1Cumulative += (uint256(reserve0) << 112) / reserve1 * elapsed;
    }
}
