//go:build !linux

package usage

// Of is what the process pid has used.
func Of(int) (Usage, error) { return Usage{}, ErrUnsupported }

// ResetPeak forgets how much memory the process pid has had.
func ResetPeak(int) error { return ErrUnsupported }
