package meter_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blobdock/blobdock/driver"
	"github.com/blobdock/blobdock/driver/fault"
	"github.com/blobdock/blobdock/driver/mem"
	"github.com/blobdock/blobdock/driver/meter"
)

func put(t testing.TB, b driver.Bucket, key string, size int) {
	t.Helper()
	body := io.NewSectionReader(bytes.NewReader(make([]byte, size)), 0, int64(size))
	if _, err := b.Put(t.Context(), key, body, driver.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestCounter(t *testing.T) {
	var calls meter.Counter
	b := meter.Wrap(mem.New(), calls.Observe)
	if calls.String() != "" {
		t.Errorf("empty: %q", &calls)
	}
	put(t, b, "a", 100)
	put(t, b, "b", 50)
	_, _ = b.Stat(t.Context(), "a")
	_, _ = b.Stat(t.Context(), "none")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = b.Delete(ctx, "a", driver.DeleteOptions{})
	_ = b.Features().DeleteBatch(t.Context(), driver.Refs("b"))

	const want = "delete (context ended) 1\ndelete-batch 1\nput 2\nstat 1\nstat (not found) 1\n"
	if got := calls.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got := calls.Total(); got.Calls != 6 || got.Sent != 150 || got.Received != 0 {
		t.Errorf("total %+v", got)
	}
	if calls.Calls(driver.OpStat) != 2 || calls.Calls(driver.OpOpen) != 0 {
		t.Errorf("%d stats, %d opens", calls.Calls(driver.OpStat), calls.Calls(driver.OpOpen))
	}
	if got := calls.Snapshot()[meter.Row{Op: driver.OpPut, Outcome: "ok"}]; got.Calls != 2 || got.Sent != 150 {
		t.Errorf("put row %+v", got)
	}
	if old := calls.Reset(); len(old) != 5 || calls.String() != "" || calls.Total().Calls != 0 {
		t.Errorf("Reset returned %d rows and left %q", len(old), &calls)
	}
}

func TestReceived(t *testing.T) {
	store := mem.New()
	put(t, store, "k", 1000)
	var events []meter.Event
	observe := func(e meter.Event) { events = append(events, e) }
	open := func(b driver.Bucket, r driver.Range) *driver.Reader {
		t.Helper()
		rd, err := meter.Wrap(b, observe).Open(t.Context(), "k", r, driver.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return rd
	}
	check := func(what string, received int64, err error) {
		t.Helper()
		if len(events) != 1 || events[0].Received != received || !errors.Is(events[0].Err, err) || events[0].Op != driver.OpOpen || events[0].Key != "k" {
			t.Errorf("%s: got %+v, want one event of %d bytes and %v", what, events, received, err)
		}
		events = nil
	}

	rd := open(store, driver.Range{})
	if len(events) != 0 {
		t.Error("told before the body has ended")
	}
	if n, err := io.Copy(io.Discard, rd); n != 1000 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	_ = rd.Close()
	_ = rd.Close()
	check("whole", 1000, nil)

	rd = open(store, driver.Range{Off: 990})
	_, _ = io.Copy(io.Discard, rd)
	_ = rd.Close()
	check("range", 10, nil)

	rd = open(store, driver.Range{})
	_, _ = io.ReadFull(rd, make([]byte, 77))
	_ = rd.Close()
	check("closed early", 77, nil)

	rd = open(fault.Wrap(store, fault.Script{{Where: fault.MidBody, Offset: 300}}), driver.Range{})
	_, _ = io.Copy(io.Discard, rd)
	_ = rd.Close()
	check("broken", 300, fault.ErrInjected)
	if _, err := meter.Wrap(store, observe).Open(t.Context(), "none", driver.Range{}, driver.ReadOptions{}); err == nil || len(events) != 1 || events[0].Outcome() != "not found" {
		t.Errorf("absent: %v, %+v", err, events)
	}
}

func TestSent(t *testing.T) {
	var calls meter.Counter
	b := meter.Wrap(mem.New(), calls.Observe)
	_, err := b.Put(t.Context(), "k", io.NewSectionReader(strings.NewReader("short"), 0, 50), driver.WriteOptions{})
	if err == nil || calls.Total().Sent != 5 || calls.String() != "put (unknown error) 1\n" {
		t.Errorf("%v, sent %d:\n%s", err, calls.Total().Sent, &calls)
	}
}

func TestDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls meter.Counter
		slow := fault.Wrap(mem.New(), fault.Script{{Op: driver.OpPut, Delay: time.Second}})
		put(t, meter.Wrap(slow, calls.Observe), "k", 1)
		if got := calls.Total().Duration; got != time.Second {
			t.Errorf("took %v", got)
		}
	})
}

func TestConcurrent(t *testing.T) {
	var calls meter.Counter
	b := meter.Wrap(mem.New(), calls.Observe)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				put(t, b, "k", 10)
				_ = calls.String()
			}
		})
	}
	wg.Wait()
	if got := calls.Total(); got.Calls != 400 || got.Sent != 4000 {
		t.Errorf("total %+v", got)
	}
}
