// Stands in for tedious, which the emulator only loads, or never calls, as the tests run it.
module.exports = {};
