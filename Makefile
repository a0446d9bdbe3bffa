# Skiplane. `make help` lists the targets; V=1 shows the commands.
#
# Every file in kernels/ is compiled once per instruction set (ISA): conv_direct.c becomes conv_direct.generic.o,
# conv_direct.avx2.o, ... each with -DSK_ISA=<isa> and that ISA's flags. Everything else is baseline code.
# All outputs go to $(BUILD), where configure keeps config.mk and config.h; `make BUILD=build-x` uses another one.

BUILD ?= build
FUZZ_RUNS ?= 20000
FUZZ_CC ?= clang
# All of it takes hours; this a few minutes.
BENCH_FLAGS ?= --threads=1 --benchmark_filter='^(fma_peak|net/resnet(18|50)/auto|conv/resnet(18|50)/).*/t1/real_time$$'
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- Configuration: made when it is missing or older than configure ----------------------------------------------

# These need none.
WITHOUT_CONFIG := help clean distclean format
# A bare machine gets its packages by itself for these two (and for nothing else).
NEED := $(if $(filter demo check,$(MAKECMDGOALS)),spng turbojpeg) $(if $(filter check,$(MAKECMDGOALS)),criterion)

ifneq ($(filter-out $(WITHOUT_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk

comma := ,
empty :=
need := $(if $(HOST),,$(addprefix --need=,$(subst $(empty) ,$(comma),$(strip $(NEED)))))
configure = ./configure --build-dir=$(BUILD) $(CONFIGURE_ARGS)
# Only once: a part that stays missing after the installation must not send make in circles.
ifeq ($(MAKE_RESTARTS)$(HOST),)
ifneq ($(filter $(NEED),$(MISSING)),)
$(BUILD)/config.mk: FORCE
endif
endif
$(BUILD)/config.mk: configure
	@$(configure) $(need) || { code=$$?; [ $$code = 3 ] && [ -n "$(need)" ] || exit $$code; \
	  ./configure --install-deps $(CONFIGURE_ARGS) && $(configure); }
endif

# ---- Sources and objects ------------------------------------------------------------------------------------------

KERNELS   := $(wildcard kernels/*.c)
# What reads ONNX files needs ONNX's schema as C, which is made at build time where protobuf-c is.
ONNX      := $(wildcard resnet/onnx_*.c)
BASELINE  := $(filter-out $(if $(filter 1,$(HAVE_ONNX)),,$(ONNX)),$(wildcard dispatch/*.c resnet/*.c))
REFERENCE := $(wildcard reference/*.c)
MAIN      := bench/skiplane.c
BENCH     := $(wildcard bench/*.cc bench/benchmark_*.c)
SHARED    := $(filter-out $(MAIN) $(BENCH),$(wildcard bench/*.c)) $(wildcard bench/peers/*.c)
TESTS     := $(wildcard tests/test_*.c)
TOOLS     := $(filter-out $(TESTS),$(wildcard tests/*.c))
FUZZERS   := $(wildcard tests/fuzz/fuzz_*.c)

onnx_schema     := $(if $(filter 1,$(HAVE_ONNX)),$(BUILD)/onnx/onnx.pb-c)
kernel_objects  := $(foreach isa,$(ISAS),$(KERNELS:%.c=$(BUILD)/%.$(isa).o))
library_objects := $(kernel_objects) $(BASELINE:%.c=$(BUILD)/%.o) $(onnx_schema:=.o)
shared_objects  := $(SHARED:%.c=$(BUILD)/%.o) $(REFERENCE:%.c=$(BUILD)/%.o)
main_object     := $(MAIN:%.c=$(BUILD)/%.o)
bench_objects   := $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(BENCH))))
test_objects    := $(TESTS:%.c=$(BUILD)/%.o)
tool_objects    := $(TOOLS:%.c=$(BUILD)/%.o)
fuzz_programs   := $(FUZZERS:%.c=$(BUILD)/%)

version_part = $(shell sed -n 's/^.define SK_VERSION_$(1) //p' include/skiplane.h)
VERSION := $(call version_part,MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
SONAME  := libskiplane.so.$(call version_part,MAJOR)
archive := $(BUILD)/libskiplane.a
shared  := $(BUILD)/libskiplane.so.$(VERSION)
program := $(if $(wildcard $(MAIN)),$(BUILD)/skiplane)
bench   := $(if $(BENCH),$(if $(filter 1,$(HAVE_BENCHMARK)),$(BUILD)/skiplane-bench))
tools   := $(TOOLS:%.c=$(BUILD)/%)
unit    := $(if $(TESTS),$(if $(filter 1,$(HAVE_CRITERION)),$(BUILD)/tests/run-unit))
# What the program prints about itself; a program for another system needs a way to run.
generated := $(if $(program),$(if $(and $(HOST),$(if $(RUNNER),,1)),,$(BUILD)/skiplane.1 $(BUILD)/skiplane.bash))
# The documented path is ./skiplane; other build folders keep their programs to themselves.
top     := $(if $(filter build,$(BUILD)),$(notdir $(program) $(bench)))

# ---- Flags --------------------------------------------------------------------------------------------------------

# Without OpenMP its pragmas are to be ignored, and silently.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion $(WERROR) $(if $(OPENMP_CFLAGS),,-Wno-unknown-pragmas)
INCLUDES := -I$(BUILD) -I. -Iinclude -D_GNU_SOURCE $(CPPFLAGS) $(LIBRARY_CFLAGS)
# After the user's flags, for the results hang on them: a fused multiply-add only where the source has one, and no
# link-time optimisation, which could carry AVX-512 code of one object into the baseline code of another.
NUMERICS := -ffp-contract=off -fno-lto
common   := $(INCLUDES) $(WARNINGS) -MMD -MP -fPIC -fvisibility=hidden
baseline := $(common) -O2 $(CFLAGS) $(SANITIZER_FLAGS) $(OPENMP_CFLAGS) $(NUMERICS)
kernel_flags := $(CFLAGS) $(SANITIZER_FLAGS) -O3 -fomit-frame-pointer -fno-math-errno $(NUMERICS)
kernel   := $(common) $(kernel_flags)
cxx      := $(common) -O2 $(CXXFLAGS) $(SANITIZER_FLAGS) $(BENCHMARK_CFLAGS) $(NUMERICS)
link     := $(LDFLAGS) $(SANITIZER_FLAGS)
# What the programs need beyond the library: the peers that they compare it with.
peer_libs := $(ONEDNN_LIBS) $(XNNPACK_LIBS)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@mkdir -p $(@D) && echo '  $(1) $@',@mkdir -p $(@D))

# ---- Build --------------------------------------------------------------------------------------------------------

all: $(archive) $(shared) $(program) $(bench) $(top) $(generated)

# Changed flags mean another build.
config := $(BUILD)/config.mk Makefile

define isa_rule
$(BUILD)/kernels/%.$(1).o: kernels/%.c $(config)
	$$(call say,CC   )
	$(Q)$(CC) -std=c17 $(kernel) $(ISA_FLAGS_$(1)) -DSK_ISA=$(1) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

# Its functions get our prefix: a program that links this library statically may have them, too.
ifneq ($(onnx_schema),)
$(onnx_schema).c: $(ONNX_PROTO) $(config)
	$(call say,PROTO)
	$(Q)protoc-c --c_out=$(@D) -I $(dir $(ONNX_PROTO)) $(ONNX_PROTO)
	$(Q)sed -i 's/\bonnx__/sk_onnx__/g' $(onnx_schema).c $(onnx_schema).h
$(onnx_schema).h: $(onnx_schema).c ;
$(onnx_schema).o: $(onnx_schema).c
	$(call say,CC   )
	$(Q)$(CC) -std=c17 $(baseline) -c -o $@ $<
$(patsubst %.c,$(BUILD)/%.o,$(ONNX) resnet/model.c $(wildcard bench/onnx_*.c tests/test_onnx_*.c tests/fuzz/fuzz_onnx.c)): \
  $(onnx_schema).h
endif

# Their loops are plain, and comparing whole networks, convolutions and points waits for them.
$(BUILD)/reference/%.o $(BUILD)/bench/verify_chains.o $(BUILD)/bench/winograd_accuracy.o: baseline += -O3
$(BUILD)/tests/%.o: baseline += $(CRITERION_CFLAGS)
$(BUILD)/bench/peers/onednn%.o: baseline += $(ONEDNN_CFLAGS)
$(BUILD)/bench/peers/xnnpack.o: baseline += $(XNNPACK_CFLAGS)
$(BUILD)/%.o: %.c $(config)
	$(call say,CC   )
	$(Q)$(CC) -std=c17 $(baseline) -c -o $@ $<

$(BUILD)/%.o: %.cc $(config)
	$(call say,CXX  )
	$(Q)$(CXX) -std=c++17 $(cxx) -c -o $@ $<

$(archive): $(library_objects)
	$(call say,AR   )
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# The header's functions, from the preprocessed header: SK_API has become a visibility attribute.
$(BUILD)/symbols.txt: include/skiplane.h $(config)
	$(Q)$(CC) -E -P -Iinclude include/skiplane.h | awk 'BEGIN { RS = ";" } /visibility/ { \
	  gsub(/__attribute__[(][(][^)]*[)][)][)]/, ""); if (match($$0, /sk_[a-z0-9_]+[ \n]*[(]/)) { \
	  name = substr($$0, RSTART, RLENGTH); gsub(/[^a-z0-9_]/, "", name); print name } }' | LC_ALL=C sort >$@

$(BUILD)/symbols.map: $(BUILD)/symbols.txt
	$(Q){ echo 'SKIPLANE_0 {'; echo 'global:'; sed 's/$$/;/' $<; echo 'local: *;'; echo '};'; } >$@

# What `git describe` says of the tree, its date, and how kernels are compiled; the file changes only when that does.
# Without git the date is that of the newest file that every release changes.
$(BUILD)/revision.h: FORCE
	$(Q)mkdir -p $(@D) && { printf '#define SK_BUILD_REVISION "%s"\n' "$$(git describe --always --dirty 2>/dev/null || echo unknown)"; \
	  printf '#define SK_BUILD_DATE "%s"\n' "$$(TZ=UTC git log -1 --date=format-local:%F --format=%cd 2>/dev/null || \
	    date -u -r CHANGELOG.md +%F)"; \
	  printf '#define SK_KERNEL_FLAGS "%s"\n' '$(subst ",\",$(strip $(CPPFLAGS) $(kernel_flags)))'; } >$@.new && \
	  if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/bench/context.o $(BUILD)/bench/skiplane.o: $(BUILD)/revision.h

# The compiler's dependencies do not name what the assembler includes.
$(BUILD)/bench/embedded.o: $(shell sed -n 's/^SK_EMBEDDED(.*"\(.*\)").*/\1/p' bench/embedded.def)

# A sanitized library has references that only the program's runtime resolves: no -z defs there.
$(shared): $(library_objects) $(BUILD)/symbols.map
	$(call say,LINK )
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/symbols.map \
	  $(if $(SANITIZER_FLAGS),,-Wl$(comma)-z$(comma)defs) -Wl,--as-needed $(link) -o $@ $(library_objects) $(LIBS)
	$(Q)ln -sf $(@F) $(BUILD)/$(SONAME) && ln -sf $(@F) $(BUILD)/libskiplane.so

$(BUILD)/skiplane: $(main_object) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(peer_libs) $(LIBS)

$(BUILD)/skiplane.1: $(BUILD)/skiplane
	$(call say,MAN  )
	$(Q)$(RUNNER) $< help --man >$@

$(BUILD)/skiplane.bash: $(BUILD)/skiplane
	$(call say,BASH )
	$(Q)$(RUNNER) $< help --completion >$@

$(BUILD)/skiplane-bench: $(bench_objects) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CXX) $(link) -o $@ $^ $(BENCHMARK_LIBS) $(peer_libs) $(LIBS)

$(BUILD)/tests/run-unit: $(test_objects) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(CRITERION_LIBS) $(peer_libs) $(LIBS)

# Programs of one file each that are no tests but belong to them: measurements, generators.
$(tools): %: %.o $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(peer_libs) $(LIBS)

ifneq ($(top),)
$(top): %: $(BUILD)/%
	$(Q)ln -sf $< $@
endif

# ---- Use ----------------------------------------------------------------------------------------------------------

skiplane_path := $(if $(filter build,$(BUILD)),./skiplane,$(BUILD)/skiplane)

demo: all
	$(RUNNER) $(skiplane_path) info
	$(RUNNER) $(skiplane_path) profile resnet50
	$(RUNNER) $(skiplane_path) classify --model resnet20-cifar --weights resnet/shapes/shapes-resnet20.safetensors \
	  --labels resnet/shapes/labels.txt resnet/shapes/pictures

bench: all
	@[ -n "$(bench)" ] || { echo "skiplane-bench needs Google Benchmark: ./configure --install-deps, ./configure"; exit 1; }
	$(RUNNER) $(BUILD)/skiplane-bench $(BENCH_FLAGS)

growth: all
	bench/growth --skiplane $(skiplane_path) --out $(BUILD)/growth $(GROWTH_FLAGS)

# The figures of docs/numerics.md, from which the points of the Winograd kernels were chosen.
points := $(BUILD)/winograd
POINTS_TILES ?= 2000
POINTS_SEED ?= 1
points_network = $(BUILD)/tests/winograd_error $(POINTS_TILES) $(POINTS_SEED) $(points)/$(1).csv \
  $(1) ../shared/models/$(1)10.safetensors ../shared/cifar10/images
winograd-points: $(BUILD)/tests/winograd_error $(BUILD)/tests/winograd_search
	@mkdir -p $(points)
	$(BUILD)/tests/winograd_error $(POINTS_TILES) $(POINTS_SEED) $(points)/uniform.csv
	if [ -d ../shared/models ]; then $(call points_network,resnet20-cifar) && $(call points_network,resnet56-cifar); \
	else echo 'SKIPPED trained weights: there is no ../shared/models'; fi
	$(BUILD)/tests/winograd_search $(POINTS_TILES) $(POINTS_SEED) $(points)/search.csv
	tests/winograd_plot $(points)/uniform.csv $(points)/search.csv $(points)/points.svg

# ---- Tests --------------------------------------------------------------------------------------------------------

# Everything tests/run and the tests/check_* scripts need to know; NATIVE is set by check-arm.
test_environment = BUILD='$(BUILD)' SKIPLANE='$(BUILD)/skiplane' RUNNER='$(RUNNER)' ARCH='$(ARCH)' ISAS='$(ISAS)' \
  CC='$(CC)' NM='$(NM)' OBJDUMP='$(OBJDUMP)' COMPILER='$(COMPILER)' SANITIZERS='$(SANITIZERS)' \
  EMULATED='$(EMULATED)' HAVE_CRITERION='$(HAVE_CRITERION)' LIBS='$(LIBS)' NATIVE='$(NATIVE)' MAKE='$(MAKE)'

check: all $(unit) $(tools)
	+@$(test_environment) tests/run

# The full sweeps: every combination of the checker, and the generic kernels over all pictures of ../shared.
check-exhaustive: all $(unit)
	OMP_WAIT_POLICY=passive SKIPLANE_EXHAUSTIVE=1 $(unit) --filter 'pretrained/*' --timeout 3600
	OMP_WAIT_POLICY=passive $(BUILD)/skiplane verify --exhaustive
	+@$(test_environment) tests/check_mutants

# Faults planted one at a time, each of which verify must catch.
check-mutants: all
	+@$(test_environment) tests/check_mutants

# What the checker finds becomes what it has to find: to be looked at with git diff, and committed.
baseline: all
	OMP_WAIT_POLICY=passive $(RUNNER) $(BUILD)/skiplane verify --write-baseline tests/verify.baseline

check-torch: all
	@$(test_environment) tests/check_torch

# Other configurations live in folders of their own, configured once and again when configure changes.
ifeq ($(filter build-sanitize build-emulated build-arm build-arm-clang build-fuzz,$(BUILD)),)
build-sanitize/config.mk: configure
	./configure --build-dir=build-sanitize --enable-sanitizers $(CONFIGURE_ARGS)

build-emulated/config.mk: configure
	./configure --build-dir=build-emulated $(CONFIGURE_ARGS) --emulate-avx512 --without-onednn --without-xnnpack --without-onnx

build-fuzz/config.mk: configure
	./configure --build-dir=build-fuzz --enable-sanitizers CC=$(FUZZ_CC) CFLAGS='-g -O1 -fsanitize=fuzzer-no-link' \
	  --without-openmp --without-openblas --without-benchmark --without-criterion --without-onednn --without-xnnpack

build-arm/sysroot/.done: tests/arm_sysroot
	tests/arm_sysroot build-arm/sysroot

build-arm/config.mk: configure build-arm/sysroot/.done
	./configure --build-dir=build-arm --host=aarch64-linux-gnu --sysroot=build-arm/sysroot \
	  --without-benchmark --without-criterion $(if $(WERROR),--enable-werror)

# For its object code alone.
build-arm-clang/config.mk: configure build-arm/sysroot/.done
	./configure --build-dir=build-arm-clang --host=aarch64-linux-gnu --sysroot=build-arm/sysroot CC=clang \
	  --without-benchmark --without-criterion $(if $(WERROR),--enable-werror)

check-sanitize: build-sanitize/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-sanitize check

check-avx512-emulated: build-emulated/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-emulated check

check-arm: all build-arm/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-arm NATIVE=$(BUILD)/skiplane check

arm_builds := build-arm $(if $(shell command -v clang),build-arm-clang)
neon-throughput: $(arm_builds:=/config.mk)
	+@for build in $(arm_builds); do $(MAKE) --no-print-directory BUILD=$$build neon-objects || exit; done
	+@$(MAKE) --no-print-directory BUILD=build-arm build-arm/tests/repeat_conv
	tests/neon_throughput $(arm_builds)

fuzz: build-fuzz/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-fuzz fuzz-run
endif

neon-objects: $(filter %.neon.o,$(kernel_objects))

.SECONDARY: $(FUZZERS:%.c=$(BUILD)/%.o)
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -fsanitize=fuzzer -o $@ $^ $(peer_libs) $(LIBS)

# The corpus in the tree is only read: what the fuzzer finds goes to a folder in $(BUILD).
fuzz-run: $(fuzz_programs)
	@passed=0; failed=0; \
	for target in $(fuzz_programs); do \
	  name=$${target##*/fuzz_}; found=$(BUILD)/fuzz/$$name; rm -rf $$found; mkdir -p $$found; \
	  corpus=tests/fuzz/corpus/$$name; [ -d $$corpus ] || corpus=; \
	  if $$target -runs=$(FUZZ_RUNS) -max_len=65536 -rss_limit_mb=2048 -timeout=25 -artifact_prefix=$$found/ \
	    $$found $$corpus >$$found.log 2>&1; then echo "fuzz $$name: ok, $(FUZZ_RUNS) runs"; passed=$$((passed + 1)); \
	  else tail -n 60 $$found.log; echo "fuzz $$name: FAILED; input in $$found"; failed=$$((failed + 1)); fi; \
	done; echo "$$passed passed, $$failed failed"; [ $$failed = 0 ]

# ---- Install ------------------------------------------------------------------------------------------------------

root = $(DESTDIR)
manuals := $(wildcard docs/*.1) $(filter %.1,$(generated))
completions := $(root)$(datadir)/bash-completion/completions
peer_files := $(wildcard bench/peers/*.py)

install: all
	@[ -z "$(EMULATED)" ] || { echo 'make: $(BUILD) emulates $(EMULATED): it is for tests and is not installed' >&2; exit 1; }
	install -d $(root)$(includedir) $(root)$(libdir)/pkgconfig $(root)$(bindir)
	install -m 644 include/skiplane.h $(root)$(includedir)/
	install -m 644 $(archive) $(root)$(libdir)/
	install -m 755 $(shared) $(root)$(libdir)/
	ln -sf $(notdir $(shared)) $(root)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(root)$(libdir)/libskiplane.so
	install -m 755 $(program) $(root)$(bindir)/
	$(if $(bench),install -m 755 $(bench) $(root)$(bindir)/)
	install -d $(root)$(datadir)/skiplane/peers
	install -m 644 $(peer_files) $(root)$(datadir)/skiplane/peers/
	install -m 755 bench/peers/install $(root)$(datadir)/skiplane/peers/
	$(if $(manuals),install -d $(root)$(mandir)/man1 && install -m 644 $(manuals) $(root)$(mandir)/man1/)
	$(if $(generated),install -d $(completions) && install -m 644 $(BUILD)/skiplane.bash $(completions)/skiplane)
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(libdir)' 'includedir=$(includedir)' '' 'Name: skiplane' \
	  'Description: SIMD kernels for convolutional residual networks' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lskiplane' 'Libs.private: $(LIBS)' 'Cflags: -I$${includedir}' \
	  >$(root)$(libdir)/pkgconfig/skiplane.pc
	chmod 644 $(root)$(libdir)/pkgconfig/skiplane.pc

uninstall:
	rm -f $(root)$(includedir)/skiplane.h $(root)$(libdir)/libskiplane.a $(root)$(libdir)/libskiplane.so \
	  $(root)$(libdir)/$(SONAME) $(root)$(libdir)/$(notdir $(shared)) $(root)$(libdir)/pkgconfig/skiplane.pc \
	  $(root)$(bindir)/skiplane $(root)$(bindir)/skiplane-bench \
	  $(addprefix $(root)$(mandir)/man1/,$(notdir $(manuals))) $(completions)/skiplane \
	  $(addprefix $(root)$(datadir)/skiplane/peers/,install $(notdir $(peer_files)))
	-rmdir $(root)$(datadir)/skiplane/peers $(root)$(datadir)/skiplane

# ---- Style --------------------------------------------------------------------------------------------------------

folders := include kernels kernels/simd dispatch reference resnet bench bench/peers tests tests/fuzz tests/emulation
c_files := $(wildcard $(addsuffix /*.c,$(folders)) $(addsuffix /*.cc,$(folders)))
styled  := $(c_files) $(wildcard $(addsuffix /*.h,$(folders)) $(addsuffix /*.def,$(folders)))
scripts := configure $(shell grep -lE '^#!/bin/(ba)?sh' tests/* bench/peers/* .ci/run 2>/dev/null)
TIDY    := clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions,$\
  -bugprone-macro-parentheses,-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result,$\
  -clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
tidy     = clang-tidy --quiet --warnings-as-errors='*' $(if $(wildcard .clang-tidy),,--checks='-*,$(TIDY)')
# A file at a time: clang-tidy 14 carries the analyzer's state over from one file to the next, and then sees ghosts.
each     = xargs -P 2 -I{}
tidy_isa := $(or $(filter avx2,$(ISAS)),$(filter neon,$(ISAS)),generic)

format:
	clang-format -i $(styled)

lint: $(BUILD)/config.mk $(BUILD)/revision.h $(onnx_schema:=.h)
	clang-format --dry-run -Werror $(styled)
	printf '%s\n' $(BASELINE) $(REFERENCE) $(wildcard bench/*.c bench/peers/*.c) | $(each) $(tidy) {} -- -std=c17 $(INCLUDES) \
	  $(WARNINGS) $(ONEDNN_CFLAGS) $(XNNPACK_CFLAGS)
	printf '%s\n' $(KERNELS) | $(each) $(tidy) {} -- -std=c17 $(INCLUDES) $(WARNINGS) $(ISA_FLAGS_$(tidy_isa)) \
	  -DSK_ISA=$(tidy_isa)
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --std=c11 \
	  --suppress=missingIncludeSystem '--suppress=preprocessorErrorDirective:$(BUILD)/onnx/*' \
	  $(INCLUDES) $(BASELINE) $(REFERENCE) $(wildcard bench/*.c bench/peers/*.c)
	if command -v shellcheck >/dev/null; then shellcheck $(scripts); else echo 'no shellcheck here: scripts unchecked'; fi

# ---- Housekeeping -------------------------------------------------------------------------------------------------

clean:
	rm -rf $(addprefix $(BUILD)/,kernels dispatch resnet reference bench onnx tests fuzz check winograd) \
	  $(BUILD)/skiplane $(BUILD)/skiplane-bench $(BUILD)/libskiplane.* $(BUILD)/symbols.* $(BUILD)/revision.h \
	  $(BUILD)/skiplane.1 $(BUILD)/skiplane.bash
	$(if $(filter build,$(BUILD)),rm -f skiplane skiplane-bench)

# Only folders that configure made.
distclean:
	for folder in build build-* $(BUILD); do if [ -f $$folder/config.log ]; then rm -rf $$folder; fi; done
	rm -f skiplane skiplane-bench config.log

help:
	@echo 'make                  build the library, ./skiplane and, with Google Benchmark, ./skiplane-bench'
	@echo 'make demo             profile ResNet-50 on this CPU, then classify pictures; installs what is missing'
	@echo 'make check            all tests; installs what is missing; SKIPLANE_REQUIRE_ISA=avx512 forbids skipping it'
	@echo 'make check-sanitize   the tests under the address and undefined behaviour sanitizers'
	@echo 'make check-avx512-emulated  the tests of the AVX-512 kernels on a CPU without it, run by AVX2 (needs SIMDe)'
	@echo 'make check-arm        the Arm build, run under qemu-aarch64'
	@echo 'make neon-throughput  the Arm kernels'\'' loops in a model of Neoverse N2, and their instructions counted under emulation'
	@echo 'make check-exhaustive full sweeps of the checker, the trained networks and check-mutants: some 20 minutes'
	@echo 'make check-mutants    plant faults in the kernels, one at a time, and see verify catch each (docs/mutants.md): minutes'
	@echo 'make baseline         write tests/verify.baseline, the bits and errors that the tests hold the kernels to'
	@echo 'make check-torch      compare with torchvision (Debian: python3-torchvision)'
	@echo 'make fuzz             run each fuzz target for FUZZ_RUNS=$(FUZZ_RUNS) inputs (needs clang)'
	@echo 'make bench            time the layers of ResNet-18 and 50, some minutes; BENCH_FLAGS= are those of skiplane-bench'
	@echo 'make growth           time an image against batch and input size, half an hour; GROWTH_FLAGS= are those of bench/growth'
	@echo 'make winograd-points  measure and search the points of the Winograd kernels, some minutes, to $(BUILD)/winograd'
	@echo 'make install          install to the prefix given to configure; DESTDIR= stages it'
	@echo 'make uninstall        remove what install put there'
	@echo 'make lint             clang-format, clang-tidy, cppcheck, shellcheck; changes nothing'
	@echo 'make format           rewrite the sources with clang-format'
	@echo 'make clean            remove what was built; distclean also removes the configurations'
	@echo 'make help             this list'
	@echo 'BUILD=DIR chooses the build folder [build]; V=1 shows the commands'

FORCE:
.PHONY: all demo bench growth winograd-points check check-exhaustive check-mutants baseline check-torch check-sanitize \
  check-avx512-emulated check-arm neon-throughput neon-objects fuzz fuzz-run install uninstall format lint clean \
  distclean help FORCE

-include $(patsubst %.o,%.d,$(library_objects) $(shared_objects) $(main_object) $(bench_objects) $(test_objects) \
  $(tool_objects)   $(FUZZERS:%.c=$(BUILD)/%.o))
