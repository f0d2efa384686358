// Reads a published log and a proof of one of its records with the libraries that Go checks its modules with:
//
//	tlog FOLDER LOG_KEY WITNESS_KEY RECORD PROOF OLD_SIZE
//
// It knows nothing of Brightline. Prints "ok" and the size of the log, or why not.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tiles reads C2SP tlog-tiles, whose names leave out the height that tlog's have.
type tiles struct{ folder string }

func (t tiles) Height() int                     { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	read := make([][]byte, len(asked))
	for i, tile := range asked {
		data, err := os.ReadFile(filepath.Join(t.folder, "tile", strings.TrimPrefix(tile.Path(), "tile/8/")))
		if err != nil {
			return nil, err
		}
		read[i] = data
	}
	return read, nil
}

// witness verifies timestamped cosignatures (C2SP tlog-cosignature).
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.hash }
func (w witness) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	head := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(sig))
	return ed25519.Verify(w.key, append([]byte(head), msg...), sig[8:])
}

func parseWitness(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(strings.TrimSpace(vkey), "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a key")
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) != 33 || data[0] != 4 {
		return nil, errors.New("not a witness key")
	}
	hash := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	return witness{parts[0], binary.BigEndian.Uint32(hash[:]), data[1:]}, nil
}

// open returns origin, size and root of a checkpoint signed by the log, and by how many known keys it is signed.
func open(signed []byte, keys note.Verifiers) (origin string, tree tlog.Tree, signatures int, err error) {
	opened, err := note.Open(signed, keys)
	if err != nil {
		return "", tree, 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return "", tree, 0, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return lines[0], tree, len(opened.Sigs), err
}

func run(folder, logKey, witnessKey, record, proof string, oldSize int64) (int64, error) {
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		return data
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(read(logKey))))
	if err != nil {
		return 0, err
	}
	cosigner, err := parseWitness(string(read(witnessKey)))
	if err != nil {
		return 0, err
	}
	keys := note.VerifierList(verifier, cosigner)
	origin, tree, _, err := open(read(filepath.Join(folder, "checkpoint")), keys)
	if err != nil || origin != verifier.Name() {
		return 0, fmt.Errorf("checkpoint of %q: %v", origin, err)
	}
	hashes := tlog.TileHashReader(tree, tiles{folder})

	// The proof file, by itself: its checkpoint is signed by the log and the witness.
	head, signed, _ := bytes.Cut(read(proof), []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, errors.New("not a proof")
	}
	_, proved, signatures, err := open(signed, keys)
	if err != nil || signatures != 2 {
		return 0, fmt.Errorf("checkpoint of the proof: %d signatures, %v", signatures, err)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return 0, err
	}
	var path tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return 0, err
		}
		path = append(path, hash)
	}
	leaf := tlog.RecordHash(read(record))
	if err := tlog.CheckRecord(path, proved.N, proved.Hash, index, leaf); err != nil {
		return 0, fmt.Errorf("the proof: %w", err)
	}

	// The same record from the tiles, every record's hash from the bundles, and the trees' consistency.
	again, err := tlog.ProveRecord(tree.N, index, hashes)
	if err != nil {
		return 0, err
	}
	if err := tlog.CheckRecord(again, tree.N, tree.Hash, index, leaf); err != nil {
		return 0, fmt.Errorf("the tiles: %w", err)
	}
	oldRoot, err := tlog.TreeHash(oldSize, hashes)
	if err != nil {
		return 0, err
	}
	consistent, err := tlog.ProveTree(tree.N, oldSize, hashes)
	if err != nil {
		return 0, err
	}
	if err := tlog.CheckTree(consistent, tree.N, tree.Hash, oldSize, oldRoot); err != nil {
		return 0, err
	}
	return tree.N, entries(folder, tree.N, hashes)
}

// entries compares every record of the bundles with its hash in the tree.
func entries(folder string, size int64, hashes tlog.HashReader) error {
	for first := int64(0); first < size; first += 256 {
		tile := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(min(256, size-first))}
		bundle, err := os.ReadFile(filepath.Join(folder, "tile/entries", strings.TrimPrefix(tile.Path(), "tile/8/0/")))
		if err != nil {
			return err
		}
		for n := first; n < first+int64(tile.W); n++ {
			length := int(binary.BigEndian.Uint16(bundle))
			found, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
			if err != nil {
				return err
			}
			if found[0] != tlog.RecordHash(bundle[2:2+length]) {
				return fmt.Errorf("record %d is not what was hashed", n)
			}
			bundle = bundle[2+length:]
		}
		if len(bundle) != 0 {
			return fmt.Errorf("the bundle from %d on has more than its records", first)
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 7 {
		log.Fatal("usage: tlog FOLDER LOG_KEY WITNESS_KEY RECORD PROOF OLD_SIZE")
	}
	oldSize, err := strconv.ParseInt(os.Args[6], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	size, err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], oldSize)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ok", size)
}
