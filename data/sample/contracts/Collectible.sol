// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// NFTs that are minted one after the other: the counter is what everybody collides on.
contract Collectible {
    uint256 public constant MOST_AT_ONCE = 20;

    uint256 public minted; // slot 0
    mapping(uint256 id => address) public ownerOf;
    mapping(address owner => uint256) public balanceOf;
    mapping(uint256 id => bytes32) public traits;

    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    error TooMany();
    error NotTheOwner();

    function mint(uint256 count) external {
        if (count > MOST_AT_ONCE) revert TooMany();
        balanceOf[msg.sender] += count;
        for (; count > 0; count--) {
            uint256 id = minted++;
            ownerOf[id] = msg.sender;
            traits[id] = keccak256(abi.encode(block.prevrandao, id));
            emit Transfer(address(0), msg.sender, id);
        }
    }

    function transfer(address to, uint256 id) external {
        if (ownerOf[id] != msg.sender) revert NotTheOwner();
        ownerOf[id] = to;
        balanceOf[msg.sender]--;
        balanceOf[to]++;
        emit Transfer(msg.sender, to, id);
    }
}
