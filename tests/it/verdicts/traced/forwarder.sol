// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.0 <0.9.0;

// Passes coin on, or seems to. Nothing of this leaves a log.
contract Forwarder {
    function pay(address payable to) external payable {
        (bool paid, ) = to.call{value: msg.value}("");
        require(paid);
    }

    // The inner call pays and fails afterwards; this one goes on and keeps the coin.
    function attempt(address payable to) external payable {
        try this.payAndFail{value: msg.value}(to) {} catch {}
    }

    function payAndFail(address payable to) external payable {
        (bool paid, ) = to.call{value: msg.value}("");
        require(!paid);
    }

    // Borrowed code sees the value and moves none of it.
    function borrow(address from) external payable {
        (bool ran, ) = from.delegatecall("");
        require(ran);
    }

    // In two calls, one inside the other.
    function relay(Forwarder other, address payable to) external payable {
        other.pay{value: msg.value}(to);
    }
}
