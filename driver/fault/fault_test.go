package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
)

const text = "0123456789"

func put(b driver.Bucket, key string) error { return putWith(context.Background(), b, key) }

func putWith(ctx context.Context, b driver.Bucket, key string) error {
	_, err := b.Put(ctx, key, io.NewSectionReader(bytes.NewReader([]byte(text)), 0, int64(len(text))), driver.WriteOptions{})
	return err
}

func read(b driver.Bucket, key string) (string, error) { return readWith(context.Background(), b, key) }

func readWith(ctx context.Context, b driver.Bucket, key string) (string, error) {
	rd, err := b.Open(ctx, key, driver.Range{}, driver.ReadOptions{})
	if err != nil {
		return "", err
	}
	defer func() { _ = rd.Close() }()
	data, err := io.ReadAll(rd)
	return string(data), err
}

// stored is what is at key, or "-".
func stored(t *testing.T, b driver.Bucket, key string) string {
	t.Helper()
	got, err := read(b, key)
	if errors.Is(err, driver.NotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhere(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		name           string
		rule           fault.Rule
		stored         string
		kind           driver.Kind
		outcomeUnknown bool
		cause          error
	}{
		{"before", fault.Rule{Op: driver.OpPut}, "-", driver.Unavailable, false, fault.ErrInjected},
		{"after", fault.Rule{Op: driver.OpPut, Where: fault.After}, text, driver.Unavailable, true, fault.ErrInjected},
		{"in mid-body", fault.Rule{Op: driver.OpPut, Where: fault.MidBody, Offset: 5}, "-", driver.Unavailable, false, fault.ErrInjected},
		{"behind the body", fault.Rule{Op: driver.OpPut, Where: fault.MidBody, Offset: 500}, "-", driver.Unavailable, false, fault.ErrInjected},
		{"kind", fault.Rule{Op: driver.OpPut, Kind: driver.Throttled}, "-", driver.Throttled, false, fault.ErrInjected},
		{"cause", fault.Rule{Op: driver.OpPut, Err: cause}, "-", driver.Unavailable, false, cause},
		{"any verb and key", fault.Rule{}, "-", driver.Unavailable, false, fault.ErrInjected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			store := mem.New()
			err := put(fault.Wrap(store, fault.Script{tt.rule}), "k")
			if driver.KindOf(err) != tt.kind || driver.OutcomeUnknown(err) != tt.outcomeUnknown || !errors.Is(err, tt.cause) {
				t.Errorf("got %v, OutcomeUnknown %t", err, driver.OutcomeUnknown(err))
			}
			if got := stored(t, store, "k"); got != tt.stored {
				t.Errorf("stored %q, want %q", got, tt.stored)
			}
		})
	}
}

func TestReceived(t *testing.T) {
	store := mem.New()
	if err := put(store, "k"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule fault.Rule
		got  string
		err  error
	}{
		{fault.Rule{Op: driver.OpOpen}, "", fault.ErrInjected},
		{fault.Rule{Op: driver.OpOpen, Where: fault.After}, "", fault.ErrInjected},
		{fault.Rule{Op: driver.OpOpen, Where: fault.MidBody, Offset: 4}, "0123", fault.ErrInjected},
		{fault.Rule{Op: driver.OpOpen, Where: fault.MidBody}, "", fault.ErrInjected},
		{fault.Rule{Op: driver.OpOpen, Where: fault.MidBody, Offset: 99}, "012345678", fault.ErrInjected},
		{fault.Rule{Op: driver.OpOpen, Where: fault.MidBody, Offset: 4, Truncate: true}, "0123", nil},
	} {
		got, err := read(fault.Wrap(store, fault.Script{tt.rule}), "k")
		if got != tt.got || !errors.Is(err, tt.err) || driver.OutcomeUnknown(err) {
			t.Errorf("%+v: read %q, %v", tt.rule, got, err)
		}
	}
}

func TestSentTruncated(t *testing.T) {
	store := mem.New()
	b := fault.Wrap(store, fault.Script{{Op: driver.OpPut, Where: fault.MidBody, Offset: 4, Truncate: true}})
	if err := put(b, "k"); err != nil || stored(t, store, "k") != "0123" {
		t.Errorf("%v, stored %q", err, stored(t, store, "k"))
	}
}

func TestNthAndKey(t *testing.T) {
	for _, tt := range []struct {
		script fault.Script
		failed []string
	}{
		{fault.Script{{Nth: 2}}, []string{"a/2"}},
		{fault.Script{{Key: "a/*"}}, []string{"a/1", "a/2"}},
		{fault.Script{{Key: "a/*", Nth: 2}}, []string{"a/2"}},
		{fault.Script{{Key: "*/1"}}, []string{"a/1", "b/c/1"}},
		{fault.Script{{Key: "*c*"}}, []string{"b/c/1"}},
		{fault.Script{{Key: "a"}}, nil},
		{fault.Script{{Key: "b/c/1"}}, []string{"b/c/1"}},
		{fault.Script{{Nth: 1}, {Key: "b*"}}, []string{"a/1", "b/c/1"}},
		{fault.Script{{Op: driver.OpDelete}}, nil},
		{nil, nil},
	} {
		b := fault.Wrap(mem.New(), tt.script)
		var failed []string
		for _, key := range []string{"a/1", "a/2", "b/c/1"} {
			if err := put(b, key); err != nil {
				failed = append(failed, key)
			}
		}
		if !slices.Equal(failed, tt.failed) {
			t.Errorf("%+v: %q failed, want %q", tt.script, failed, tt.failed)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := mem.New()
		b := fault.Wrap(store, fault.Script{{Op: driver.OpPut, Nth: 1, Delay: time.Minute}, {Op: driver.OpPut, Nth: 2, Delay: time.Minute, Kind: driver.Denied}})
		start := time.Now()
		if err := put(b, "slow"); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := put(b, "slow and failing"); !errors.Is(err, driver.Denied) || time.Since(start) != 2*time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b = fault.Wrap(store, fault.Script{{Delay: time.Minute}})
		if _, err := b.Stat(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEachPoint(t *testing.T) {
	var points []string
	outcome := map[string]string{}
	var store driver.Bucket
	fault.EachPoint(t, func() driver.Bucket {
		store = mem.New()
		return store
	}, func(b driver.Bucket) error {
		if err := put(b, "a"); err != nil {
			return fmt.Errorf("first: %w", err)
		}
		if _, err := read(b, "a"); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := put(b, "b"); err != nil {
			return fmt.Errorf("second: %w", err)
		}
		return b.Delete(context.Background(), "a", driver.DeleteOptions{})
	}, func(t *testing.T, b driver.Bucket, p fault.Point, err error) {
		if !errors.Is(err, fault.ErrInjected) {
			t.Errorf("got %v", err)
		}
		points = append(points, p.String())
		outcome[p.String()] = stored(t, b, "a") + " " + stored(t, b, "b")
	})
	want := []string{
		"01-put-1-before", "01-put-1-after", "01-put-1-mid-body",
		"02-open-1-before", "02-open-1-mid-body",
		"03-put-2-before", "03-put-2-after", "03-put-2-mid-body",
		"04-delete-1-before", "04-delete-1-after",
	}
	if !slices.Equal(points, want) {
		t.Errorf("points:\n%q\nwant:\n%q", points, want)
	}
	for point, want := range map[string]string{
		"01-put-1-before": "- -", "01-put-1-after": text + " -", "01-put-1-mid-body": "- -",
		"03-put-2-after": text + " " + text, "04-delete-1-before": text + " " + text, "04-delete-1-after": "- " + text,
	} {
		if outcome[point] != want {
			t.Errorf("after %s there is %q, want %q", point, outcome[point], want)
		}
	}
}
