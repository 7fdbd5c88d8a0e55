// Package crc32c combines CRC-32C sums, by Castagnoli's polynomial.
package crc32c

import "hash/crc32"

// Combine returns the sum of some bytes with more bytes behind them, given the sums of both
// and the number of the latter.
//
// Bytes behind others shift these: the sum is multiplied by x to the power of 8*size.
func Combine(sum, behind uint32, size int64) uint32 {
	power := uint32(1) << 31 // x to the power of 0: the highest bit is the lowest power
	shift := uint32(1) << 30 // x to the power of 1
	for n := 8 * uint64(size); n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, shift)
		}
		shift = multiply(shift, shift)
	}
	return multiply(sum, power) ^ behind
}

// multiply returns the product of two polynomials modulo Castagnoli's.
func multiply(a, b uint32) (product uint32) {
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		b = b>>1 ^ crc32.Castagnoli*(b&1)
	}
	return product
}
