package driver

import "testing"

// BenchmarkPlan plans an upload of known length and one of unknown length, and
// asks for all of their parts.
func BenchmarkPlan(b *testing.B) {
	for name, total := range map[string]int64{"known": 10 << 30, "unknown": -1} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := s3Parts.Plan(8*mib, 64*mib, total)
				if err != nil {
					b.Fatal(err)
				}
				if _, fits := p.Count(1, 10<<30); !fits {
					b.Fatal("10 GiB do not fit")
				}
			}
		})
	}
}
