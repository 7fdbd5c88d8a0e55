// Stands in for mysql2, which the emulator only loads, or never calls, as the tests run it.
module.exports = {};
