// SPDX-License-Identifier: Apache-2.0
pragma solidity >=0.8.0 <0.9.0;

// Names who was put on it, as the oracles on public chains do.
contract Oracle {
    mapping(address => bool) private named;

    function put(address somebody) external {
        named[somebody] = true;
    }

    function isSanctioned(address somebody) external view returns (bool) {
        return named[somebody];
    }
}

// Fails whatever it is asked.
contract Broken {
    fallback() external {
        revert("not today");
    }
}

// Answers, and not with a boolean.
contract Odd {
    fallback() external {
        assembly {
            mstore(0, 2)
            return(0, 32)
        }
    }
}
