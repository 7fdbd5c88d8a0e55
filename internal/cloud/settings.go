package cloud

import (
	"errors"

	"github.com/blobdock/blobdock/driver"
)

// Settings collects the settings of a bucket.
type Settings []driver.BucketSetting

// Add adds a setting with its value.
func (s *Settings) Add(name, value, advice string) {
	*s = append(*s, driver.BucketSetting{Name: name, Value: value, Advice: advice})
}

// OnOff adds a setting that is on or off. The advice is for the first.
func (s *Settings) OnOff(name string, on bool, advice string) {
	if on {
		s.Add(name, "on", advice)
		return
	}
	s.Add(name, "off", "")
}

// Refused adds a setting that err was the answer to. An error that passes, or is no answer, is
// returned.
func (s *Settings) Refused(name, grant string, err error) error {
	var e *driver.Error
	switch {
	case !errors.As(err, &e), e.Status == 0, e.Kind.Temporary():
		return err
	case e.Kind == driver.Denied:
		*s = append(*s, driver.BucketSetting{Name: name, Grant: grant})
	default:
		s.Add(name, "the store does not tell", "")
	}
	return nil
}
