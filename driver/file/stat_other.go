//go:build !unix

package file

import (
	"os"
	"path/filepath"
)

func isFile(folder *os.File, name string) bool {
	info, err := os.Stat(filepath.Join(folder.Name(), name))
	return err == nil && info.Mode().IsRegular()
}
