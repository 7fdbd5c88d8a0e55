package probe_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/probe"
)

// TestSettings has a row for each setting, and one for those that may not be read.
func TestSettings(t *testing.T) {
	got := []driver.BucketSetting{{Name: "a", Value: "off"}, {Name: "b", Value: "on", Advice: "turn it off"}, {Name: "c", Grant: "may-c"}, {Name: "d", Grant: "may-d"}}
	var failure error
	b := bucket(t, func(f *driver.Features) {
		f.Settings = func(context.Context) ([]driver.BucketSetting, error) { return got, failure }
	})
	all := results(t, b)
	if r := all["a"]; r.Status != probe.OK || r.Detail != "off" {
		t.Errorf("%+v", r)
	}
	if r := all["b"]; r.Status != probe.Advised || r.Detail != "on: turn it off" {
		t.Errorf("%+v", r)
	}
	if r := all["settings"]; r.Status != probe.Skipped || r.Grant != "may-c and may-d" || !strings.Contains(r.Detail, "c, d") || r.Err != nil {
		t.Errorf("%+v", r)
	}
	got, failure = nil, driver.Unavailable
	if r := results(t, b)["settings"]; r.Status != probe.Failed || !errors.Is(r.Err, driver.Unavailable) {
		t.Errorf("%+v", r)
	}
}
