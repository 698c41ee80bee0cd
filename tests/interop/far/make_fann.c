/* fann_shortcut.net, fann_sin.net; and what FANN 2.2.0 predicts: gcc make_fann.c -ldoublefann -lm
 *   ./a.out                          writes the files
 *   ./a.out FILE < inputs            fann_run of samples of text; with a third word in raw units */
#include <doublefann.h>
#include <stdio.h>

static void make(void) {
    struct fann *net = fann_create_standard(3, 2, 3, 1);
    fann_randomize_weights(net, -1, 1);
    fann_set_activation_function_hidden(net, FANN_SIN_SYMMETRIC);
    fann_set_activation_function_output(net, FANN_SIN_SYMMETRIC);
    fann_set_activation_steepness_hidden(net, 0.8);
    fann_set_activation_steepness_output(net, 0.3);
    fann_save(net, "fann_sin.net");
    net = fann_create_shortcut(4, 2, 3, 2, 1);
    fann_randomize_weights(net, -1, 1);
    fann_set_activation_function_hidden(net, FANN_SIGMOID_SYMMETRIC);
    fann_set_activation_function_output(net, FANN_LINEAR);
    fann_save(net, "fann_shortcut.net");
}

int main(int count, char **words) {
    double x[64];
    struct fann *net;
    if (count < 2) return make(), 0;
    if (!(net = fann_create_from_file(words[1]))) return 1;
    int inputs = fann_get_num_input(net), outputs = fann_get_num_output(net);
    for (;;) {
        for (int i = 0; i < inputs; i++)
            if (scanf("%lf", x + i) != 1) return 0;
        if (count > 2) fann_scale_input(net, x);
        double *y = fann_run(net, x);
        if (count > 2) fann_descale_output(net, y);
        for (int i = 0; i < outputs; i++) printf("%.17g ", y[i]);
        puts("");
    }
}
