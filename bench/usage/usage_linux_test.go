package usage

import (
	"os"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	before, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const mib = 1 << 20
	waste := make([]byte, 64*mib)
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; {
		for i := 0; i < len(waste); i += 512 {
			waste[i]++
		}
	}
	after, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if d := after.CPU - before.CPU; d < 5*time.Millisecond || d > 10*time.Second {
		t.Errorf("CPU: %v for 50 ms of work", d)
	}
	if after.Peak < before.RSS+60*mib {
		t.Errorf("peak: %d bytes, %d before 64 MiB were used", after.Peak, before.RSS)
	}
	if _, err := Of(1 << 30); err == nil {
		t.Error("a process that does not exist uses something")
	}
}

func TestResetPeak(t *testing.T) {
	if err := ResetPeak(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	u, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if u.Peak > u.RSS+(64<<20) {
		t.Errorf("peak %d right after the reset, now %d", u.Peak, u.RSS)
	}
}
