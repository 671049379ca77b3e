import type { Shell } from './split-line.ts';

/** The hidden command that the scripts ask, before the name of the shell. */
export const completionCommand = '__complete';

// A script gives wallet the line as it is typed, and evaluates neither the line nor the answer.
// The first line of an answer is `values` or `files`.

const bash = `# bash completion for wallet: source <(wallet completion bash)
_wallet() {
    local answer line
    COMPREPLY=()
    answer=$(wallet ${completionCommand} bash "\${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null)
    case $answer in
        files*) compopt -o default 2>/dev/null ;;
        values$'\\n'*)
            while IFS= read -r line; do COMPREPLY+=("$line"); done <<<"\${answer#*$'\\n'}"
            ;;
    esac
}
complete -F _wallet wallet
`;

const zsh = `#compdef wallet
# zsh completion for wallet: source <(wallet completion zsh), after compinit
_wallet() {
    local -a answer
    answer=("\${(@f)$(wallet ${completionCommand} zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" \\
        2>/dev/null </dev/null)}")
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    case $answer[1] in
        files) _files ;;
        values)
            shift answer
            (( $#answer )) && _describe -V -t values value answer
            ;;
    esac
}
if [[ $funcstack[1] == _wallet ]]; then
    _wallet "$@"
else
    compdef _wallet wallet
fi
`;

const fish = `# fish completion for wallet: wallet completion fish | source
function __wallet_complete
    set -l answer (wallet ${completionCommand} fish (commandline -cp | string collect) 2>/dev/null </dev/null)
    set -l kind $answer[1]
    set -e answer[1]
    switch "$kind"
        case files
            # Before the name of the file there may be an option: --results=
            set -l token (commandline -ct)
            set -l option (string match -r -- '^--[^=]+=' $token)
            for path in (complete -C "'' "(string replace -r -- '^--[^=]+=' '' "$token"))
                echo "$option$path"
            end
        case values
            printf '%s\\n' $answer
    end
end
complete -c wallet -k -f -a '(__wallet_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
