// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.0;

/// What both tokens do honestly.
abstract contract Token {
    event Transfer(address indexed from, address indexed to, uint256 value);

    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address beneficiary, uint256 amount) external {
        balanceOf[beneficiary] += amount;
        emit Transfer(address(0), beneficiary, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external virtual returns (bool);

    function move(address from, address to, uint256 amount) internal {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit Transfer(from, to, amount);
    }
}

/// Keeps one percent of what it moves.
contract FeeOnTransfer is Token {
    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        allowance[from][msg.sender] -= amount;
        uint256 fee = amount / 100;
        move(from, to, amount - fee);
        move(from, address(this), fee);
        return true;
    }
}

/// Says yes and moves nothing.
contract EmptyYes is Token {
    function transferFrom(address, address, uint256) external pure override returns (bool) {
        return true;
    }
}
