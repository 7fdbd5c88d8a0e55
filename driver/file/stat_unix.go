//go:build unix

package file

import (
	"os"

	"golang.org/x/sys/unix"
)

func isFile(folder *os.File, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(int(folder.Fd()), name, &st, 0) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}
