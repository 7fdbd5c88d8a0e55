package emulator

import (
	"slices"
	"testing"
)

func TestParseLDD(t *testing.T) {
	for _, tc := range []struct {
		name, out string
		libs      []string
		loader    string
	}{
		{
			name: "glibc",
			out: "\tlinux-vdso.so.1 (0x00007fc352ab3000)\n" +
				"\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007fc352800000)\n" +
				"\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007fc35253e000)\n" +
				"\t/lib64/ld-linux-x86-64.so.2 (0x00007fc352ab5000)\n",
			libs:   []string{"/lib/x86_64-linux-gnu/libstdc++.so.6", "/lib/x86_64-linux-gnu/libc.so.6"},
			loader: "/lib64/ld-linux-x86-64.so.2",
		},
		{
			name: "musl",
			out: "\t/lib/ld-musl-x86_64.so.1 (0x7f6a3a1c5000)\n" +
				"\tlibstdc++.so.6 => /usr/lib/libstdc++.so.6 (0x7f6a37a00000)\n" +
				"\tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f6a3a1c5000)\n",
			libs:   []string{"/usr/lib/libstdc++.so.6", "/lib/ld-musl-x86_64.so.1"},
			loader: "/lib/ld-musl-x86_64.so.1",
		},
		{name: "static", out: "\tstatically linked\n"},
	} {
		libs, loader := parseLDD(tc.out)
		if !slices.Equal(libs, tc.libs) || loader != tc.loader {
			t.Errorf("%s: %q, %q, want %q, %q", tc.name, libs, loader, tc.libs, tc.loader)
		}
	}
}
