// Stands in for applicationinsights, which the emulator only loads, or never calls, as the tests run it.
module.exports = {};
