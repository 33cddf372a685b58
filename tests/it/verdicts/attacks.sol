// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.0;

interface Money {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// Says whatever its caller wants, in the words of tokens and of Request Network's proxy.
contract Forger {
    event Transfer(address indexed from, address indexed to, uint256 value);
    event TransferWithReferenceAndFee(
        address tokenAddress, address to, uint256 amount, bytes indexed paymentReference, uint256 feeAmount, address feeAddress
    );

    /// No money at all.
    function claims(address token, address to, uint256 amount, bytes calldata paymentReference) external {
        emit Transfer(msg.sender, to, amount);
        emit TransferWithReferenceAndFee(token, to, amount, paymentReference, 0, address(0));
    }

    /// Genuine money, and a forged word about what it is for.
    function pays(address token, address to, uint256 amount, bytes calldata paymentReference) external {
        Money(token).transferFrom(msg.sender, to, amount);
        emit TransferWithReferenceAndFee(token, to, amount, paymentReference, 0, address(0));
    }
}

/// A thing that is not counted: its third topic is a number, where money has an amount.
contract Collectible {
    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    function gives(address to, uint256 id) external {
        emit Transfer(msg.sender, to, id);
    }
}

/// Passes coin on, and says nothing.
contract Forwarder {
    function passes(address payable to) external payable {
        (bool taken, ) = to.call{value: msg.value}("");
        require(taken);
    }
}
